"""PyPI: the index has versions, yanks and status; project and release documents have the rest.

The attestations of a release are read once, from a path that we compose ourselves.
"""

import re
from urllib.parse import quote

from connectors.errors import BodyRefused, ConnectorError
from connectors.http.answers import HttpResponse
from connectors.http.bodies import MIB
from connectors.http.client import HttpClient
from connectors.http.pacing import RateLimits
from connectors.lazy_json import items, mapping, members, small, string
from connectors.origins import Origin, default_url
from connectors.registries.clients import (
    SEEN,
    Connector,
    Probe,
    status_outcome,
    validator_of,
    validators,
)
from connectors.registries.html_index import json_form
from connectors.registries.lookup import (
    MAX_EXTRAS,
    Document,
    Outcome,
    PackageRequest,
    PackageResponse,
)
from connectors.registries.releases import (
    ReleaseFile,
    Releases,
    canonical_version,
    first_digest,
    releases_of,
    version_key,
)

# Mirrors that know no JSON answer HTML.
_INDEX = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
_INTEGRITY = "application/vnd.pypi.integrity.v1+json"
_PROBE = "mcp"
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,254}")
_PROVENANCE = frozenset({200, 401, 403, 404, 405, 406})


def origin(rest: str) -> Origin | None:
    """The public index, the only default origin."""
    return None if rest else Origin("pypi", default_url("pypi"), limits=RateLimits(rate=3, slots=2))


def fetch(http: HttpClient, origin: Origin, target: PackageRequest) -> PackageResponse:
    """The index; if it is new, also the project document and documents of new releases.

    The project document also describes the latest release. An index with a lower serial than the
    known one is an old copy of a cache: upstream error. A mirror without JSON documents leaves them
    out; an index in HTML is read too.
    """
    name = quote(target.package, safe="")
    index = http.get(
        f"{origin.url}/{origin.index}/{name}/",
        expect=SEEN,
        headers={"Accept": _INDEX} | validators(target),
        cap=16 * MIB,
    )
    serial = serial_of(index)
    older = serial is not None and target.serial is not None and serial < target.serial
    if older and index.status == 200:
        return PackageResponse(
            Outcome.UPSTREAM_ERROR, origin.url, detail="an older copy of the index"
        )
    documents: list[Document] = []
    deferred = 0
    reader = _Releases(http, f"{origin.url}/pypi/{name}")
    if index.status == 200:
        body = json_form(index.body, project=target.package, url=index.url)
        documents.append(Document("index", body))
        latest = reader.project()
        releases = releases_of(body)
        wanted = [
            version
            for version in target.versions
            if version_key(version) != version_key(latest) and _is_new(target, version, releases)
        ]
        wanted = wanted if reader.speaks_json else []
        for version in wanted[:MAX_EXTRAS]:
            reader.release(version, releases.spelled(version))
        documents += reader.documents
        attested = [
            (version, file)
            for version in target.versions
            if (file := _attested(releases.files(version)))
            and not (
                version in target.known
                and target.known[version].provenance
                and not _is_new(target, version, releases)
            )
        ]
        for version, file in attested[:MAX_EXTRAS]:
            spelled = releases.spelled(version)
            document = _provenance(http, f"{origin.url}/integrity/{name}", version, spelled, file)
            documents += [document] if document else []
            deferred += document is None
        deferred += (
            reader.failed + max(0, len(wanted) - MAX_EXTRAS) + max(0, len(attested) - MAX_EXTRAS)
        )
    # Without validators the next check reads everything again.
    whole = not deferred and not (documents and reader.absent)
    return PackageResponse(
        status_outcome(index.status, target),
        origin.url,
        tuple(documents),
        etag=validator_of(index, "etag") if whole else "",
        last_modified=validator_of(index, "last-modified") if whole else "",
        serial=serial,
        deferred=deferred,
    )


class _Releases:
    """Project and release documents of one package; counts those that failed or are absent.

    A mirror without project documents (`speaks_json` is false) has no release documents either.
    """

    def __init__(self, http: HttpClient, base: str) -> None:
        self._http = http
        self._base = base
        self.documents: list[Document] = []
        self.failed = self.absent = 0
        self.speaks_json = True

    def project(self) -> str:
        """Ask for the project document; return the version that it describes, or ""."""
        body = self._get(f"{self._base}/json", "project", "")
        info = members(members(body).get("info"))
        return canonical_version(string(info.get("version")) or "")

    def release(self, version: str, spelled: str) -> None:
        self._get(f"{self._base}/{quote(spelled, safe='')}/json", "release", version)

    def _get(self, url: str, kind: str, version: str) -> bytes:
        try:
            answer = self._http.get(url, expect=SEEN, cap=16 * MIB)
        except BodyRefused:
            return b""
        except ConnectorError:
            self.failed += 1
            return b""
        # A 404 may come from a cache or the delay after an upload, so the next check asks again.
        self.absent += answer.status != 200
        self.speaks_json = self.speaks_json and not (kind == "project" and answer.status != 200)
        if answer.status == 200:
            self.documents.append(Document(kind, answer.body, version))
            return answer.body
        return b""


def _is_new(target: PackageRequest, version: str, releases: Releases) -> bool:
    """Whether a release exists and was not read yet, or its first file changed since."""
    if version not in releases:
        return False
    known, digest = target.known.get(version), first_digest(releases.files(version))
    return known is None or digest not in ("", known.digest)


def _attested(files: list[ReleaseFile]) -> str:
    """The name of a file with attestations; "" without one."""
    names = (file.name for file in files if file.provenance and _FILE.fullmatch(file.name))
    return next(names, "")


def _provenance(
    http: HttpClient, base: str, version: str, spelled: str, file: str
) -> Document | None:
    """Who published a file of a release; None if it must be asked again."""
    url = f"{base}/{quote(spelled, safe='')}/{quote(file, safe='')}/provenance"
    try:
        headers = {"Accept": _INTEGRITY}
        answer = http.get(
            url, expect=_PROVENANCE, headers=headers, cap=MIB, treat_403_html_as_ban=False
        )
    except ConnectorError:
        return None
    return Document("provenance", answer.body if answer.status == 200 else b"{}", version)


def serial_of(answer: HttpResponse) -> int | None:
    """The serial of an index: from a header, else a number or a string in its document."""
    serial = answer.headers.get("x-pypi-last-serial", "")
    if not serial and answer.status == 200:
        meta = mapping(small(members(answer.body).get("meta")))
        serial = str(meta.get("_last-serial", ""))
    # 18 digits fit into the BIGINT that stores it.
    return int(serial) if serial.isascii() and serial.isdigit() and len(serial) <= 18 else None


def probe(http: HttpClient, origin: Origin) -> Probe:
    """Ask for the index of a project and for its project document."""
    url = f"{origin.url}/{origin.index}/{_PROBE}/"
    index = http.get(url, expect=SEEN, headers={"Accept": _INDEX}, cap=16 * MIB)
    if index.status != 200:
        return Probe(f"answers {index.status} for {_PROBE}: a mirror without it?")
    project = http.get(f"{origin.url}/pypi/{_PROBE}/json", expect=SEEN, cap=16 * MIB)
    document = members(json_form(index.body, project=_PROBE, url=index.url))
    files = items(document.get("files"))
    file = members(files[-1]) if files else {}
    features = {
        "JSON index": bool(members(index.body)),
        "gzip": index.headers.get("content-encoding") == "gzip",
        "etag": bool(validator_of(index, "etag")),
        "serial": serial_of(index) is not None,
        "versions": bool(items(document.get("versions"))),
        "upload-time": "upload-time" in file,
        "yanked": "yanked" in file,
        "provenance": "provenance" in file,
        "project-status": "project-status" in document,
        "JSON documents": project.status == 200 and bool(members(project.body).get("info")),
    }
    message = f"answers with {len(files)} files of {_PROBE}"
    if http.route.authorization:
        message += "; credentials are accepted"
    return Probe(message, tuple(name for name, present in features.items() if not present))


CONNECTOR = Connector(fetch, origin, probe)
