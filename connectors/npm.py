"""npm: one packument per package; where that is too large, its short form and single versions."""

from urllib.parse import quote

from connectors.errors import BodyRefused
from connectors.http import MIB, HttpClient
from connectors.origins import Origin
from connectors.outcomes import Document, Fetched, Outcome, Target
from connectors.packages import status_outcome, validator_of, validators

_SEEN = frozenset({200, 304, 404, 410, 451})
_ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"


def fetch(http: HttpClient, origin: Origin, target: Target) -> Fetched:
    """The packument of a package; a 404's body is kept, since it may say `unpublished`."""
    url = f"{origin.url}/{quote(target.package, safe='@')}"
    headers = {"Accept": "application/json"} | validators(target)
    try:
        answer = http.get(url, expect=_SEEN, headers=headers, cap=16 * MIB)
    except BodyRefused:
        return _abbreviated(http, origin, url, target)
    outcome = status_outcome(answer.status)
    documents = (Document("packument", answer.body),) if answer.status in (200, 404) else ()
    return Fetched(
        outcome,
        origin.url,
        documents,
        etag=validator_of(answer, "etag"),
        last_modified=validator_of(answer, "last-modified"),
    )


def _abbreviated(http: HttpClient, origin: Origin, url: str, target: Target) -> Fetched:
    answer = http.get(url, expect=frozenset({200}), headers={"Accept": _ABBREVIATED}, cap=8 * MIB)
    documents = [Document("abbreviated", answer.body)]
    for version in (*target.versions, "latest"):
        single = http.get(f"{url}/{quote(version, safe='')}", expect=frozenset({200, 404}), cap=MIB)
        if single.status == 200:
            documents.append(Document("version", single.body, version))
    return Fetched(Outcome.OK, origin.url, tuple(documents))
