"""OCI registries: HEAD first, documents only where a digest moved, every document verified.

Follows the distribution specification with its token flow; the realm of a challenge and the host of
a blob redirect must be in the origin's table.
"""

import hashlib
import json
import re
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from connectors.errors import ConnectorError, MalformedPage, UnexpectedStatus
from connectors.http import MIB, Answer, HttpClient
from connectors.origins import Origin
from connectors.outcomes import Document, Fetched, Outcome, Target

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_SEEN = frozenset({200, 401, 403, 404})
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_BLOB_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def fetch(http: HttpClient, origin: Origin, target: Target) -> Fetched:
    """Digests of the claimed tags; manifest and config of those whose digest is not known."""
    repository = _Repository(http, origin, target.package)
    documents: list[Document] = []
    outcomes: dict[str, Outcome] = {}
    for reference in target.versions:
        head = repository.manifest(reference, method="HEAD")
        if head.status == 403 and not repository.token:
            raise UnexpectedStatus(f"{head.url} answered 403", url=head.url, status=403)
        if head.status != 200:
            outcomes[reference] = (
                Outcome.VERSION_ABSENT if head.status == 404 else Outcome.ABSENT_OR_PRIVATE
            )
            continue
        outcomes[reference] = Outcome.OK
        digest = head.headers.get("docker-content-digest", "")
        if not digest or target.known.get(reference) != digest:
            documents.extend(repository.documents(reference, digest))
        else:
            documents.append(Document("digest", b"", reference, digest))
    found = set(outcomes.values())
    if found == {Outcome.ABSENT_OR_PRIVATE}:
        return Fetched(Outcome.ABSENT_OR_PRIVATE, origin.url, versions=outcomes)
    return Fetched(Outcome.OK, origin.url, tuple(documents), outcomes)


class _Repository:
    """One repository; `token` is its pull token once a challenge was met."""

    def __init__(self, http: HttpClient, origin: Origin, name: str) -> None:
        self._http = http
        self._origin = origin
        self._name = name
        self.token = ""

    def manifest(self, reference: str, *, method: str = "GET") -> Answer:
        path = f"manifests/{quote(reference, safe=':')}"
        return self._ask(path, {"Accept": _ACCEPT}, method=method, cap=4 * MIB)

    def documents(self, reference: str, digest: str) -> list[Document]:
        """Manifest (of an index: that of linux/amd64) and config of a reference."""
        top = self.manifest(digest or reference)
        if top.status != 200:
            raise UnexpectedStatus(
                f"{top.url} answered {top.status} after HEAD had found it",
                url=top.url,
                status=top.status,
            )
        digest = _verified(top, digest)
        documents = [Document("manifest", top.body, reference, digest)]
        manifest = _json(top)
        child = _platform(manifest)
        if child:
            answer = self.manifest(child)
            _verified(answer, child)
            documents.append(Document("manifest", answer.body, reference, digest))
            manifest = _json(answer)
        described = manifest.get("config")
        config = str(described.get("digest") or "") if isinstance(described, dict) else ""
        if config.startswith("sha256:"):
            blob = self._blob(config)
            _verified(blob, config)
            documents.append(Document("config", blob.body, reference, digest))
        return documents

    def _blob(self, digest: str) -> Answer:
        seen = _SEEN | _BLOB_REDIRECTS
        answer = self._ask(f"blobs/{quote(digest, safe=':')}", {}, cap=MIB, expect=seen)
        for _ in range(3):
            if answer.status not in _BLOB_REDIRECTS:
                break
            url = urljoin(answer.url, answer.headers.get("location", ""))
            self._check(url, self._origin.blob_suffixes)
            answer = self._http.get(url, expect=frozenset({200}) | _BLOB_REDIRECTS, cap=MIB)
        return answer

    def _ask(
        self,
        path: str,
        headers: dict[str, str],
        *,
        cap: int,
        method: str = "GET",
        expect: frozenset[int] = _SEEN,
    ) -> Answer:
        url = f"{self._origin.url}/v2/{self._name}/{path}"
        answer = self._send(url, headers, method, cap, expect)
        if answer.status == 401:
            self.token = ""
            if self._challenged(answer):
                answer = self._send(url, headers, method, cap, expect)
        return answer

    def _send(
        self, url: str, headers: dict[str, str], method: str, cap: int, expect: frozenset[int]
    ) -> Answer:
        if self.token:
            headers = headers | {"Authorization": f"Bearer {self.token}"}
        return self._http.get(url, expect=expect, headers=headers, cap=cap, method=method)

    def _challenged(self, answer: Answer) -> bool:
        """Get an anonymous token as the challenge says; False where none is given."""
        scheme, _, rest = answer.headers.get("www-authenticate", "").partition(" ")
        challenge = dict(_CHALLENGE.findall(rest))
        realm = challenge.get("realm", "")
        if scheme.lower() != "bearer" or not realm:
            return False
        self._check(realm, self._origin.realm_hosts)
        query = {"service": challenge.get("service", ""), "scope": f"repository:{self._name}:pull"}
        found = self._http.get(f"{realm}?{urlencode(query)}", expect=_SEEN, cap=MIB)
        if found.status != 200:
            return False
        answer_json = _json(found)
        self.token = str(answer_json.get("token") or answer_json.get("access_token") or "")
        return bool(self.token)

    def _check(self, url: str, hosts: tuple[str, ...]) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        allowed = any(host == h or (h.startswith(".") and host.endswith(h)) for h in hosts)
        same = self._origin.by_operator and host == self._origin.host
        if not (same or (allowed and parts.scheme == "https")):
            raise ConnectorError(f"{self._origin.id} points to {host}: not allowed", url=url)


def _verified(answer: Answer, digest: str) -> str:
    """Check a document against its digest; without one, say which it has."""
    actual = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    if digest and digest != actual:
        raise MalformedPage(f"{answer.url} is not what its digest {digest} says", url=answer.url)
    return actual


def _platform(manifest: dict[str, Any]) -> str:
    """The digest of the image for linux/amd64 in an index, else of the first real platform."""
    found = manifest.get("manifests")
    images = []
    for item in found if isinstance(found, list) else []:
        platform = item.get("platform") if isinstance(item, dict) else None
        if isinstance(platform, dict) and platform.get("os") not in (None, "unknown"):
            wanted = (platform["os"], platform.get("architecture")) == ("linux", "amd64")
            images.append((not wanted, str(item.get("digest") or "")))
    return min(images, key=lambda image: image[0])[1] if images else ""


def _json(answer: Answer) -> dict[str, Any]:  # a registry's document; only looked into
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise MalformedPage(f"{answer.url} is not JSON: {error}", url=answer.url) from error
    if not isinstance(document, dict):
        raise MalformedPage(f"{answer.url} is not a JSON object", url=answer.url)
    return document
