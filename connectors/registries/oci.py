"""OCI registries: HEAD first, documents only if a digest moved, every document verified.

Follows the distribution specification with its token flow. The realm of a challenge and the host of
a blob redirect must be in the origin's table.
"""

from connectors.errors import ConnectorError, HostClosed, QuotaSpent
from connectors.http.client import HttpClient
from connectors.origins import Origin
from connectors.registries.clients import Connector, Probe
from connectors.registries.image import ImageRepository
from connectors.registries.image_hosts import TABLE
from connectors.registries.lookup import (
    MAX_EXTRAS,
    Document,
    Outcome,
    PackageRequest,
    PackageResponse,
)

SUFFIXES = (".pkg.dev", ".azurecr.io")
HOSTS = {
    "docker.io": "docker.io",
    "registry-1.docker.io": "docker.io",
    "index.docker.io": "docker.io",
    "ghcr.io": "ghcr.io",
    "quay.io": "quay.io",
    "mcr.microsoft.com": "mcr.microsoft.com",
}
"""Hosts that a reference may name, with the name that their origin has."""
_PROBES = {"docker.io": "library/hello-world", "ghcr.io": "github/github-mcp-server"}


def origin(host: str) -> Origin | None:
    """The origin of an image host: one of the table, or one below an allowed suffix."""
    if host.endswith(SUFFIXES):
        return Origin(f"oci:{host}", f"https://{host}", realm_hosts=(host,))
    return TABLE.get(host)


def fetch(http: HttpClient, origin: Origin, target: PackageRequest) -> PackageResponse:
    """Digests of the claimed tags; manifest and config for digests that are not known.

    An error on one tag only defers that tag. It is raised only if no tag has an outcome.
    """
    repository = ImageRepository(http, origin, target.package)
    documents: list[Document] = []
    outcomes: dict[str, Outcome] = {}
    trouble: ConnectorError | None = None
    for reference in target.versions[:MAX_EXTRAS]:
        known = target.known.get(reference)
        try:
            result = repository.read(reference, known.digest if known else "")
        # The next tag would fail the same way.
        except (HostClosed, QuotaSpent) as error:
            trouble = error
            break
        except ConnectorError as error:
            trouble = error
        else:
            outcomes[reference] = result if isinstance(result, Outcome) else Outcome.OK
            documents += result if isinstance(result, list) else []
    if not outcomes and trouble is not None:
        raise trouble
    if set(outcomes.values()) == {Outcome.ABSENT_OR_PRIVATE}:
        return PackageResponse(Outcome.ABSENT_OR_PRIVATE, origin.url, versions=outcomes)
    seen = outcomes.keys() | target.known.keys() | target.absent_before
    deferred = sum(version not in seen for version in target.versions)
    detail = str(trouble or "")
    return PackageResponse(
        Outcome.OK, origin.url, tuple(documents), outcomes, deferred=deferred, detail=detail[:500]
    )


def probe(http: HttpClient, origin: Origin) -> Probe:
    """Read a tag of a well-known image with the token flow; elsewhere only see that it answers."""
    image = _PROBES.get(origin.id.partition(":")[2])
    if image is None or origin.by_operator:
        answer = http.get(f"{origin.url}/v2/", expect=frozenset({200, 401}))
        if answer.status == 200:
            return Probe("answers; credentials work" if http.route.authorization else "answers")
        repository = ImageRepository(http, origin, "library/probe")
        got_token = repository.challenged(answer)
        return Probe(f"answers, {'gives a token' if got_token else 'and gives no token'}")
    head = ImageRepository(http, origin, image).manifest("latest", method="HEAD")
    if head.status != 200:
        return Probe(f"answers {head.status} for {image}")
    message = f"answers for {image}"
    if quota := head.headers.get("ratelimit-remaining"):
        message += f", {quota} manifests left of {head.headers.get('ratelimit-limit', '?')}"
    who = "with credentials" if http.route.authorization else "anonymous"
    has_digest = "docker-content-digest" in head.headers
    return Probe(f"{message}, {who}", () if has_digest else ("docker-content-digest",))


CONNECTOR = Connector(fetch, origin, probe)
