"""OCI: Debian's docker-registry behind a token service; umoci makes images, skopeo moves them."""

from collections.abc import Iterator

import pytest

from connectors.registries.lookup import Outcome
from tests.registries.conftest import MakeLine, Played
from tests.registries.servers import Images, basic, docker_registry

pytestmark = pytest.mark.xdist_group("docker-registry")
NAME = "io.github.o/one"
LABEL = "io.modelcontextprotocol.server.name"
SOURCE = "org.opencontainers.image.source"
LABELS = {
    LABEL: NAME,
    SOURCE: "https://github.com/o/one",
    "org.opencontainers.image.licenses": "MIT",
}
REPOSITORY = {"url": "https://github.com/o/one", "source": "github"}
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    with docker_registry(tmp_path_factory.mktemp("oci") / "registry") as images:
        yield images


@pytest.fixture
def line(images: Images, make_line: MakeLine) -> Played:
    images.tokens.private.clear()
    return make_line({"oci:ghcr.io": {"url": images.url, "realm": images.realm}})


def test_an_image_is_known_and_a_known_digest_costs_a_token_and_a_head(
    images: Images, line: Played
) -> None:
    images.push("o/one:1.0.0", LABELS)
    line.claim(NAME, "oci", "ghcr.io/o/one:1.0.0", "1.0.0", repository=REPOSITORY)
    assert line.profile().outcomes == {"ok": 1}
    row = line.packages()[f"{NAME}@1.0.0"]
    assert (row["ownership"], row["availability"]) == ("verified", "available")
    assert (row["license"], row["repository_matches"]) == ("MIT", True)
    assert row["digest"] == images.manifest("o/one", "1.0.0")[0]
    assert row["provenance"] is False
    again = line.profile()
    assert (again.outcomes, again.facts) == ({"ok": 1}, 0)
    assert again.requests == 3, "a refusal that names the realm, a token, a HEAD"


def test_a_moved_tag_without_its_label_is_an_alarm_and_moving_back_shows_too(
    images: Images, line: Played
) -> None:
    images.push("o/moved:1.0.0", LABELS)
    first, _ = images.manifest("o/moved", "1.0.0")
    line.claim(NAME, "oci", "ghcr.io/o/moved:1.0.0", "1.0.0")
    line.profile()
    assert line.signals(f"{NAME}@1.0.0") == {"verified"}
    images.push("o/moved:1.0.0", {SOURCE: "https://github.com/bob/other"})
    line.profile()
    row = line.packages()[f"{NAME}@1.0.0"]
    assert (row["ownership"], row["ownership_now"]) == ("was_verified_now_not", "marker_absent")
    assert row["digest"] != first
    assert "digest_moved" in row["signals"]
    images.push("o/moved:1.0.0", LABELS)
    line.profile()
    row = line.packages()[f"{NAME}@1.0.0"]
    assert row["ownership"] == "verified"
    with line.deployment.warehouse.session() as session:
        rows = session.text(
            "SELECT digest FROM version_facts WHERE package = 'o/moved' ORDER BY observed_at"
        ).to_pylist()
    assert len(rows) == 3, "A, B, A"


def test_deleted_private_and_never_pushed_are_told_apart(images: Images, line: Played) -> None:
    images.push("o/gone:1.0.0", LABELS)
    images.push("o/private:1.0.0", LABELS)
    line.claim(NAME, "oci", "ghcr.io/o/gone:1.0.0", "1.0.0")
    line.claim("io.github.o/private", "oci", "ghcr.io/o/private:1.0.0", "1.0.0")
    line.claim("io.github.o/never", "oci", "ghcr.io/o/never:1.0.0", "1.0.0")
    line.profile()
    images.delete("o/gone:1.0.0")
    images.tokens.private.add("o/private")
    line.confirm()
    availabilities = {row["name"]: row["availability"] for row in line.packages().values()}
    assert availabilities == {
        NAME: "version_withdrawn",
        "io.github.o/private": "absent_or_private",
        "io.github.o/never": "version_absent",
    }


def test_an_index_is_read_through_its_linux_image_and_tells_of_attestations(
    images: Images, line: Played
) -> None:
    images.push("o/index:amd64", LABELS)
    images.push("o/index:other", {LABEL: "io.github.bob/other"}, command="/bin/false")
    manifests = []
    for tag, platform in (("other", "arm64"), ("amd64", "amd64")):
        digest, manifest = images.manifest("o/index", tag)
        size = len(str(manifest))
        entry = {"mediaType": MANIFEST, "digest": digest, "size": size}
        manifests.append(entry | {"platform": {"os": "linux", "architecture": platform}})
    kind = {"vnd.docker.reference.type": "attestation-manifest"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    attestation = manifests[0] | {"platform": unknown, "annotations": kind}
    images.put_index("o/index", "1.0.0", [*manifests, attestation])
    line.claim(NAME, "oci", "ghcr.io/o/index:1.0.0", "1.0.0")
    line.profile()
    row = line.packages()[f"{NAME}@1.0.0"]
    assert (row["ownership"], row["provenance"]) == ("verified", True)


def test_what_refers_to_an_image_is_found_by_its_tag(images: Images, line: Played) -> None:
    images.push("o/signed:1.0.0", LABELS)
    digest, manifest = images.manifest("o/signed", "1.0.0")
    signature = {
        "mediaType": MANIFEST,
        "digest": digest,
        "size": len(str(manifest)),
        "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    }
    # The tag under which the OCI specification looks for referrers.
    images.put_index("o/signed", digest.replace(":", "-"), [signature])
    line.claim(NAME, "oci", "ghcr.io/o/signed:1.0.0", "1.0.0")
    line.profile()
    assert line.packages()[f"{NAME}@1.0.0"]["provenance"] is True


def test_wrong_credentials_make_nothing_absent(images: Images, make_line: MakeLine) -> None:
    images.push("o/right:1.0.0", LABELS)
    wrong = {"username": "publisher", "password": "wrong", "realm": images.realm}
    line = make_line({"oci:ghcr.io": {"url": images.url} | wrong})
    line.claim(NAME, "oci", "ghcr.io/o/right:1.0.0", "1.0.0")
    for _ in range(3):
        assert line.profile().outcomes == {Outcome.FORBIDDEN: 1}
    row = line.packages()[f"{NAME}@1.0.0"]
    assert (row["availability"], row["package_state"]) == ("unknown", "failed")
    with line.deployment.warehouse.session() as session:
        (check,) = session.text("SELECT detail FROM package_checks").to_pylist()
    assert "refuses the credentials" in check["detail"]


def test_credentials_go_to_the_token_service_and_open_a_private_image(
    images: Images, make_line: MakeLine
) -> None:
    images.push("o/ours:1.0.0", LABELS)
    images.tokens.private.add("o/ours")
    realm = images.tokens
    secret = {"username": "publisher", "password": "secret", "realm": images.realm}
    line = make_line({"oci:ghcr.io": {"url": images.url} | secret})
    line.claim(NAME, "oci", "ghcr.io/o/ours:1.0.0", "1.0.0")
    realm.asked.clear()
    assert line.profile().outcomes == {Outcome.OK: 1}
    assert line.packages()[f"{NAME}@1.0.0"]["ownership"] == "verified"
    credentials = [request.headers.get("authorization") for request in realm.asked]
    assert credentials == [basic("publisher", "secret")]
