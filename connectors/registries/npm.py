"""npm: one packument per package; if that is too large, its short form and single versions.

Attestations are asked for once per claimed version that has any. We compose their path ourselves
and never follow the URL in the document.
"""

from urllib.parse import quote

from connectors.errors import BodyRefused, ConnectorError
from connectors.http.answers import HttpResponse
from connectors.http.bodies import MIB
from connectors.http.client import HttpClient
from connectors.http.pacing import RateLimits
from connectors.lazy_json import items, mapping, members, small
from connectors.origins import Origin, default_url
from connectors.registries.clients import (
    SEEN,
    Connector,
    Probe,
    status_outcome,
    validator_of,
    validators,
)
from connectors.registries.lookup import MAX_EXTRAS, Document, PackageRequest, PackageResponse

_ABBREVIATED = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*"
SHORT = "abbreviated"
LARGEST = 16 * MIB
"""Decoded bytes of a packument; for a larger one the short form is read."""
_PROBE = "@modelcontextprotocol/sdk"


def origin(rest: str) -> Origin | None:
    """The public registry, the only default origin."""
    return None if rest else Origin("npm", default_url("npm"), limits=RateLimits(rate=5, slots=4))


def fetch(http: HttpClient, origin: Origin, target: PackageRequest) -> PackageResponse:
    """The packument of a package. The body of a 404 is kept, since it may say `unpublished`.

    A package whose packument was once too large is asked for in the short form from then on.
    """
    url = f"{origin.url}/{quote(target.package, safe='@')}"
    if target.variant != SHORT:
        headers = {"Accept": "application/json"} | validators(target)
        try:
            answer = http.get(url, expect=SEEN, headers=headers, cap=LARGEST)
        except BodyRefused:
            return _short(
                http, origin, url, PackageRequest(target.origin, target.package, target.versions)
            )
        documents = [Document("packument", answer.body)] if answer.status in (200, 404) else []
        deferred = 0
        if answer.status == 200:
            more, deferred = _attestations(http, origin, target, answer.body)
            documents += more
        return _fetched(origin, target, answer, documents, "packument", deferred)
    return _short(http, origin, url, target)


def _short(http: HttpClient, origin: Origin, url: str, target: PackageRequest) -> PackageResponse:
    """The short form, plus the documents of the latest version and of versions not known yet."""
    headers = {"Accept": _ABBREVIATED} | validators(target)
    answer = http.get(url, expect=SEEN, headers=headers, cap=8 * MIB)
    if answer.status != 200:
        return _fetched(origin, target, answer, [Document(SHORT, answer.body)], SHORT, 0)
    documents, deferred = [Document(SHORT, answer.body)], 0
    published = members(members(answer.body).get("versions"))
    wanted = [
        version
        for version in target.versions
        if version not in target.known and version in published
    ]
    for version in (*wanted[:MAX_EXTRAS], "latest"):
        extra, failed = _single(http, f"{url}/{quote(version, safe='')}", "version", version)
        documents += extra
        deferred += failed
    more, failed = _attestations(http, origin, target, answer.body)
    deferred += failed + max(0, len(wanted) - MAX_EXTRAS)
    return _fetched(origin, target, answer, documents + more, SHORT, deferred)


def _single(http: HttpClient, url: str, kind: str, version: str) -> tuple[list[Document], int]:
    """The document of one version, if there is one, and how many requests are deferred (0 or 1)."""
    try:
        # A mirror may refuse just this path; that does not mean that it refuses us.
        answer = http.get(url, expect=SEEN | {401, 403, 405}, cap=MIB, treat_403_html_as_ban=False)
    except BodyRefused:
        return [], 0
    except ConnectorError:
        return [], 1
    return ([Document(kind, answer.body, version)] if answer.status == 200 else []), 0


def _fetched(
    origin: Origin,
    target: PackageRequest,
    answer: HttpResponse,
    documents: list[Document],
    variant: str,
    deferred: int,
) -> PackageResponse:
    return PackageResponse(
        status_outcome(answer.status, target),
        origin.url,
        tuple(documents),
        # With validators the next answer could be a 304, which would skip the deferred requests.
        etag=validator_of(answer, "etag") if not deferred else "",
        last_modified=validator_of(answer, "last-modified") if not deferred else "",
        variant=variant,
        deferred=deferred,
    )


def _attestations(
    http: HttpClient, origin: Origin, target: PackageRequest, packument: bytes
) -> tuple[list[Document], int]:
    """Unread attestations of claimed versions that have any; how many requests are deferred."""
    published = members(members(packument).get("versions"))
    wanted = [
        version
        for version in target.versions
        if version in published
        and not (version in target.known and target.known[version].provenance)
        and members(members(published[version]).get("dist")).get("attestations")
    ]
    documents, deferred = [], max(0, len(wanted) - MAX_EXTRAS)
    for version in wanted[:MAX_EXTRAS]:
        resource = quote(f"{target.package}@{version}", safe="@")
        url = f"{origin.url}/-/npm/v1/attestations/{resource}"
        attestations, failed = _single(http, url, "attestations", version)
        # An empty document says: asked, there is none; so it is not asked again.
        documents += attestations or ([] if failed else [Document("attestations", b"{}", version)])
        deferred += failed
    return documents, deferred


def probe(http: HttpClient, origin: Origin) -> Probe:
    """Ask for a packument, then again with its validator; with credentials, check them too."""
    url = f"{origin.url}/{quote(_PROBE, safe='@')}"
    first = http.get(url, expect=SEEN, headers={"Accept": "application/json"}, cap=16 * MIB)
    if first.status != 200:
        return Probe(f"answers {first.status} for {_PROBE}: a mirror without it?")
    document = members(first.body)
    versions = members(document.get("versions"))
    dist = mapping(small(members(next(reversed(versions.values()), None)).get("dist")))
    etag = validator_of(first, "etag")
    again = http.get(url, expect=SEEN, headers={"If-None-Match": etag}) if etag else first
    features = {
        "gzip": first.headers.get("content-encoding") == "gzip",
        "etag": bool(etag),
        "304": again.status == 304,
        "time": bool(members(document.get("time"))),
        "maintainers": bool(items(document.get("maintainers"))),
        "dist.integrity": bool(dist.get("integrity")),
        "dist.attestations": bool(dist.get("attestations")),
    }
    message = f"answers with {len(versions)} versions of {_PROBE}"
    if http.route.authorization:
        whoami = http.get(f"{origin.url}/-/whoami", expect=frozenset({200, 401, 403, 404}))
        verdict = {200: "work", 404: "are not told of"}.get(whoami.status, "are refused")
        message += f"; credentials {verdict}"
    return Probe(message, tuple(name for name, present in features.items() if not present))


CONNECTOR = Connector(fetch, origin, probe)
