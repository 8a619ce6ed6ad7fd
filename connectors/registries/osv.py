"""Advisories of package versions, from a service with OSV's API.

One request for up to a thousand versions names the advisories of each; an advisory itself is asked
for once per modification. `enrich.advisories` reads the answers.
"""

import json
from typing import Any
from urllib.parse import quote

from connectors.errors import BodyRefused
from connectors.http.bodies import MIB
from connectors.http.client import HttpClient
from connectors.http.pacing import RateLimits
from connectors.origins import Origin
from connectors.registries.clients import Connector, Probe
from connectors.registries.lookup import Document, Outcome, PackageRequest, PackageResponse

OSV = "osv"
BATCH = 1000
"""Package versions per request, at most; the service refuses more."""
_CAP = 32 * MIB
_PAGES = 20
_Query = dict[str, Any]  # JSON as the service takes it
_JSON = {"Content-Type": "application/json"}


def _origin(rest: str) -> Origin | None:
    return None if rest else Origin(OSV, "https://api.osv.dev", limits=RateLimits(rate=1, slots=1))


def _fetch(http: HttpClient, origin: Origin, target: PackageRequest) -> PackageResponse:
    """One advisory, or the advisories of many package versions.

    With `package`, an advisory id: its document. Else `versions` are purls: one document per page
    of the answer; its `version` holds the purls of that page, one per line.
    """
    if target.package:
        url = f"{origin.url}/v1/vulns/{quote(target.package, safe='')}"
        answer = http.get(url, cap=4 * MIB)
        return PackageResponse(Outcome.OK, origin.url, (Document("advisory", answer.body),))
    documents: list[Document] = []
    queries: list[_Query] = [{"package": {"purl": purl}} for purl in target.versions]
    while queries:
        # A service that always names a next page must not keep us forever.
        if len(documents) >= _PAGES:
            raise BodyRefused(f"{origin.url} goes on after {_PAGES} pages", url=origin.url)
        body = json.dumps({"queries": queries}).encode()
        answer = http.get(
            f"{origin.url}/v1/querybatch", method="POST", content=body, headers=_JSON, cap=_CAP
        )
        asked = "\n".join(str(query["package"]["purl"]) for query in queries)
        documents.append(Document("batch", answer.body, asked))
        queries = _unfinished(queries, answer.body)
    return PackageResponse(Outcome.OK, origin.url, tuple(documents))


def _unfinished(queries: list[_Query], body: bytes) -> list[_Query]:
    """The queries whose answer has a next page, each with its page token."""
    results = json.loads(body)["results"]
    return [
        {"package": query["package"], "page_token": result["next_page_token"]}
        for query, result in zip(queries, results, strict=True)
        if result.get("next_page_token")
    ]


def _probe(http: HttpClient, origin: Origin) -> Probe:
    response = _fetch(http, origin, PackageRequest(OSV, "", ("pkg:pypi/jinja2@2.4.1",)))
    return Probe(f"names {response.documents[0].body.count(b'id')} advisories of an old release")


ADVISORIES: dict[str, Connector] = {OSV: Connector(_fetch, _origin, _probe)}
