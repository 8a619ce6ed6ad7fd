"""PyPI: the index tells versions, yanks and status; release documents tell the rest."""

from urllib.parse import quote

from connectors.http import MIB, HttpClient
from connectors.origins import Origin
from connectors.outcomes import Document, Fetched, Outcome, Target
from connectors.packages import serial_of, status_outcome, validator_of, validators

_SEEN = frozenset({200, 304, 404, 410, 451})
_INDEX = "application/vnd.pypi.simple.v1+json"


def fetch(http: HttpClient, origin: Origin, target: Target) -> Fetched:
    """The index document, and a release document for each claimed version not known yet.

    The project document is asked for only with a new index: it tells which release is the latest.
    An index older than the one known (its serial says so) counts as not modified.
    """
    name = quote(target.package, safe="")
    index = http.get(
        f"{origin.url}/simple/{name}/",
        expect=_SEEN,
        headers={"Accept": _INDEX} | validators(target),
        cap=16 * MIB,
    )
    serial = serial_of(index)
    if serial is not None and target.serial is not None and serial < target.serial:
        return Fetched(Outcome.NOT_MODIFIED, origin.url, detail="an older copy of the index")
    documents, whole = [], True
    if index.status == 200:
        documents.append(Document("index", index.body))
        paths = {"": f"pypi/{name}/json"} | {
            version: f"pypi/{name}/{quote(version, safe='')}/json"
            for version in target.versions
            if version not in target.known
        }
        for version, path in paths.items():
            answer = http.get(f"{origin.url}/{path}", expect=_SEEN, cap=16 * MIB)
            if answer.status == 200:
                documents.append(Document("release", answer.body, version))
            else:
                whole = False
    return Fetched(
        status_outcome(index.status),
        origin.url,
        tuple(documents),
        etag=validator_of(index, "etag") if whole else "",
        last_modified=validator_of(index, "last-modified") if whole else "",
        serial=serial,
    )
