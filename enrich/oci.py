"""What manifests and image configs say: to a profile."""

from connectors.outcomes import Document, Outcome
from enrich.licences import read_licence
from enrich.profiles import PackageFacts, Profile, VersionFacts, instant, json_object, mapping, text

_LABEL = "org.opencontainers.image."
_SERVER_NAME = "io.modelcontextprotocol.server.name"


def parse(documents: tuple[Document, ...], outcomes: dict[str, Outcome]) -> Profile | None:
    """The profile of the references asked for; those whose digest did not move are left out."""
    found: list[VersionFacts] = []
    repository = licence = None
    for reference, outcome in outcomes.items():
        if outcome != Outcome.OK:
            found.append(VersionFacts(reference, outcome))
            continue
        config = next((d for d in documents if (d.kind, d.version) == ("config", reference)), None)
        known = next((d for d in documents if d.version == reference), None)
        if known is None or known.kind == "digest":
            continue
        document = (json_object(config.body) if config else None) or {}
        labels = mapping(mapping(document.get("config")).get("Labels"))
        name = text(labels.get(_SERVER_NAME))
        repository = text(labels.get(f"{_LABEL}source"), 500) or repository
        licence = read_licence(labels.get(f"{_LABEL}licenses"))
        found.append(
            VersionFacts(
                version=reference,
                outcome=Outcome.OK,
                published_at=instant(document.get("created")),
                license=licence.expression,
                digest=known.digest,
                server_names=(name,) if name else (),
            )
        )
    if not any(document.kind == "config" for document in documents) and documents:
        return Profile(None, tuple(found))
    package = PackageFacts(
        outcome=Outcome.OK,
        license=licence.expression if licence else None,
        license_status=licence.status if licence else None,
        repository_url=repository,
    )
    return Profile(package, tuple(found))
