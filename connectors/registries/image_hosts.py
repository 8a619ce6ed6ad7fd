"""The image registries that are asked unconfigured: where they are, and what they bear."""

from connectors.http.pacing import RateLimits
from connectors.origins import Origin

TABLE = {
    "docker.io": Origin(
        "oci:docker.io",
        "https://registry-1.docker.io",
        realm_hosts=("auth.docker.io",),
        realm="https://auth.docker.io/token",
        service="registry.docker.io",
        blob_suffixes=(".cloudflare.docker.com", ".r2.cloudflarestorage.com"),
        limits=RateLimits(rate=2, slots=2),
    ),
    "ghcr.io": Origin(
        "oci:ghcr.io",
        "https://ghcr.io",
        realm_hosts=("ghcr.io",),
        realm="https://ghcr.io/token",
        service="ghcr.io",
        blob_suffixes=("pkg-containers.githubusercontent.com",),
        limits=RateLimits(rate=3, slots=2),
    ),
    "quay.io": Origin(
        "oci:quay.io", "https://quay.io", realm_hosts=("quay.io",), blob_suffixes=(".quay.io",)
    ),
    "mcr.microsoft.com": Origin(
        "oci:mcr.microsoft.com",
        "https://mcr.microsoft.com",
        realm_hosts=("mcr.microsoft.com",),
        blob_suffixes=(".data.mcr.microsoft.com",),
        limits=RateLimits(rate=3, slots=2),
    ),
}
