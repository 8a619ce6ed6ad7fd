"""One repository of an OCI registry: its tokens, tags, manifests, referrers and blobs."""

import hashlib
import re
from contextlib import suppress
from urllib.parse import quote, urlencode, urljoin, urlsplit

from msgspec import Raw

from connectors.errors import MalformedPage, QuotaSpent, UnexpectedStatus
from connectors.http.answers import HttpResponse
from connectors.http.bodies import MIB
from connectors.http.client import HttpClient
from connectors.http.routes import base_of
from connectors.lazy_json import items, mapping, members, small, string
from connectors.origins import Origin
from connectors.registries.lookup import Document, Outcome

_ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        # Signed manifests of the format before, which clients of today do not pull.
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        "application/vnd.docker.distribution.manifest.v1+json",
    )
)
# Some registries answer 401 or 403 for a repository that does not exist.
_SEEN = frozenset({200, 401, 403, 404})
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_BEARER = re.compile(r"(?i:\bbearer) +(.*)")
_DIGEST = re.compile(r"sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128}")
_NO_HEAD = frozenset({404, 405, 501})
_BLOB_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_QUOTA = re.compile(r"(\d{1,9})(?:;.*)?")
# Leave so many manifests of a host's quota unused.
_RESERVE = 10


class ImageRepository:
    """One repository; `token` is its pull token once there is one, else empty."""

    def __init__(self, http: HttpClient, origin: Origin, name: str) -> None:
        self._http = http
        self._origin = origin
        self._name = name
        self._read_before: dict[str, list[Document] | Outcome] = {}
        self._refused = False
        self.token = ""
        # A realm that an earlier challenge named saves the request that would be refused.
        realm = http.host_cache.get("realm", origin.realm)
        if realm:
            self._get_token(realm, http.host_cache.get("service", origin.service))

    def read(self, reference: str, known: str) -> list[Document] | Outcome:
        """The documents of a reference, or the outcome if there are none.

        If its digest is still `known`, only a note of the digest. Raises UnexpectedStatus where a
        registry refuses us without a token.
        """
        if self._refused:
            return Outcome.ABSENT_OR_PRIVATE
        head = self.manifest(reference, method="HEAD")
        if head.status in _NO_HEAD:
            # Some registries do not answer HEAD, or answer it wrongly: GET decides.
            with suppress(QuotaSpent):
                head = self.manifest(reference)
        if head.status in (401, 403):
            if self.token or self._refused:
                return Outcome.ABSENT_OR_PRIVATE
            raise UnexpectedStatus(
                f"{head.url} answered {head.status} and gave no token; are the credentials right?",
                url=head.url,
                status=head.status,
            )
        if head.status != 200:
            return Outcome.VERSION_ABSENT
        digest = head.headers.get("docker-content-digest", "")
        # For a digest the reference itself is the authority; a header may be missing.
        if _DIGEST.fullmatch(reference):
            if digest not in ("", reference):
                raise MalformedPage(f"{head.url} has the digest {digest}", url=head.url)
            digest = reference
        if digest and digest == known:
            return [Document("digest", b"", reference, digest)]
        return self.documents(reference, digest)

    def manifest(self, reference: str, *, method: str = "GET") -> HttpResponse:
        remaining = int(self._http.host_cache.get("manifests left", _RESERVE + 1))
        if method == "GET" and remaining <= _RESERVE:
            raise QuotaSpent(f"{self._origin.id} gives only {remaining} more manifests for now")
        path = f"manifests/{quote(reference, safe=':')}"
        seen = _SEEN | _NO_HEAD if method == "HEAD" else _SEEN
        answer = self._ask(path, {"Accept": _ACCEPT}, method=method, cap=4 * MIB, expect=seen)
        if quota := _QUOTA.fullmatch(answer.headers.get("ratelimit-remaining", "")):
            self._http.host_cache["manifests left"] = quota[1]
        return answer

    def documents(self, reference: str, digest: str) -> list[Document] | Outcome:
        """The manifest and config of a reference, and what refers to it; OLD_FORMAT if its manifest
        has no config.

        For an index, also the manifest of linux/amd64.
        """
        # Tags often share a digest, which is read once; an empty digest is unknown.
        if digest not in self._read_before or not digest:
            self._read_before[digest] = self._read(reference, digest)
        documents = self._read_before[digest]
        if isinstance(documents, Outcome):
            return documents
        return [
            Document(document.kind, document.body, reference, document.digest)
            for document in documents
        ]

    def _read(self, reference: str, digest: str) -> list[Document] | Outcome:
        top = self.manifest(digest or reference)
        if top.status != 200:
            raise UnexpectedStatus(
                f"{top.url} answered {top.status} after HEAD had found it",
                url=top.url,
                status=top.status,
            )
        # Its digest is of the payload without the signatures.
        if small(members(top.body).get("schemaVersion")) == 1:
            return Outcome.OLD_FORMAT
        digest = _verified(top, digest)
        documents = [Document("manifest", top.body, reference, digest)]
        manifest = _object(top)
        if child := _platform(manifest.get("manifests")):
            answer = self.manifest(child)
            _verified(answer, child)
            documents.append(Document("manifest", answer.body, reference, digest))
            manifest = _object(answer)
        config = mapping(small(manifest.get("config"))).get("digest")
        if isinstance(config, str) and _DIGEST.fullmatch(config):
            blob = self._blob(config)
            _verified(blob, config)
            documents.append(Document("config", blob.body, reference, digest))
        documents.append(Document("referrers", self._referrers(digest), reference, digest))
        return documents

    def _referrers(self, digest: str) -> bytes:
        """What refers to a manifest: by the referrers API, else by the fallback tag."""
        answer = self._ask(f"referrers/{quote(digest, safe=':')}", {}, cap=MIB)
        if answer.status != 200:
            tag = digest.replace(":", "-")
            # HEAD first: a GET counts against the quota of some hosts.
            if self.manifest(tag, method="HEAD").status not in (200, 405, 501):
                return b"{}"
            answer = self.manifest(tag)
        return answer.body if answer.status == 200 else b"{}"

    def _blob(self, digest: str) -> HttpResponse:
        seen = _SEEN | _BLOB_REDIRECTS
        answer = self._ask(f"blobs/{quote(digest, safe=':')}", {}, cap=MIB, expect=seen)
        for _ in range(3):
            if answer.status not in _BLOB_REDIRECTS:
                break
            location = answer.headers.get("location", "")
            try:
                url = urljoin(answer.url, location)
            except ValueError as error:
                raise MalformedPage(
                    f"{answer.url} redirects to {location!r}, which is no URL", url=answer.url
                ) from error
            self._check(url, self._origin.blob_suffixes)
            # The pull token is not sent to another host.
            answer = self._http.get(url, expect=frozenset({200}) | _BLOB_REDIRECTS, cap=MIB)
        if answer.status != 200:
            raise UnexpectedStatus(
                f"{answer.url} answered {answer.status} for the config of an image",
                url=answer.url,
                status=answer.status,
            )
        return answer

    def _ask(
        self,
        path: str,
        headers: dict[str, str],
        *,
        cap: int,
        method: str = "GET",
        expect: frozenset[int] = _SEEN,
    ) -> HttpResponse:
        url = f"{self._origin.url}/v2/{self._name}/{path}"
        answer = self._send(url, headers, method, cap, expect)
        if answer.status == 401:
            # The token may be missing or expired: get a new one and try once more.
            self.token = ""
            if self.challenged(answer):
                answer = self._send(url, headers, method, cap, expect)
        return answer

    def _send(
        self, url: str, headers: dict[str, str], method: str, cap: int, expect: frozenset[int]
    ) -> HttpResponse:
        if self.token:
            headers = headers | {"Authorization": f"Bearer {self.token}"}
        return self._http.get(url, expect=expect, headers=headers, cap=cap, method=method)

    def challenged(self, answer: HttpResponse) -> bool:
        """Get a token from the service that a challenge names; False if it gives none.

        The service is remembered for the origin's other repositories.
        """
        bearer = _BEARER.search(answer.headers.get("www-authenticate", ""))
        challenge = dict(_CHALLENGE.findall(bearer[1])) if bearer else {}
        realm, service = challenge.get("realm", ""), challenge.get("service", "")
        if not realm:
            return False
        self._check(realm, self._origin.realm_hosts)
        self._http.host_cache |= {"realm": realm, "service": service}
        return self._get_token(realm, service)

    def _get_token(self, realm: str, service: str) -> bool:
        query = {"service": service, "scope": f"repository:{self._name}:pull"}
        url = f"{realm}?{urlencode(query)}"
        # The health of the token service says nothing about the registry behind it.
        response = self._http.get(url, expect=_SEEN, cap=MIB, affects_rate=False)
        if response.status == 401 and self._http.route.authorization:
            raise UnexpectedStatus(
                f"{realm} refuses the credentials of {self._origin.id}", url=realm, status=401
            )
        self._refused = response.status in (401, 403)
        if response.status != 200:
            return False
        payload = _object(response)
        token = string(payload.get("token")) or string(payload.get("access_token")) or ""
        # A header value with control characters would be refused later, or worse.
        self.token = token if token.isascii() and token.isprintable() else ""
        return bool(self.token)

    def _check(self, url: str, hosts: tuple[str, ...]) -> None:
        """Refuse a URL of an unknown host. Raises MalformedPage.

        Allowed are hosts of the table by https, and base URLs that the operator configured.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            message = f"{self._origin.id} points to {url!r}, which is no URL"
            raise MalformedPage(message, url=self._origin.url) from error
        listed = any(
            host == allowed or (allowed.startswith(".") and host.endswith(allowed))
            for allowed in hosts
        )
        secure = parts.scheme == "https" and port in (None, 443)
        given = base_of(url) in self._origin.bases
        if parts.username is not None or not (given or (listed and secure)):
            raise MalformedPage(f"{self._origin.id} points to {host}: not allowed", url=url)


def _verified(answer: HttpResponse, digest: str) -> str:
    """Check a document against its digest; without one, return the digest that it has."""
    kind = "sha512" if digest.startswith("sha512:") else "sha256"
    actual = f"{kind}:{hashlib.new(kind, answer.body).hexdigest()}"
    if digest and digest != actual:
        raise MalformedPage(f"{answer.url} is not what its digest {digest} says", url=answer.url)
    return actual


def _platform(manifests: Raw | None) -> str:
    """The digest of the linux/amd64 image of an index, else of its first image; "" without one."""
    images = []
    for item in items(manifests, 1000):
        entry = mapping(small(item))
        platform, digest = mapping(entry.get("platform")), entry.get("digest")
        if (
            isinstance(digest, str)
            and _DIGEST.fullmatch(digest)
            # Attestations are listed with the platform unknown/unknown.
            and platform.get("os") != "unknown"
        ):
            wanted = (platform.get("os"), platform.get("architecture")) == ("linux", "amd64")
            images.append((not wanted, digest))
    # min is stable: the wanted platform first, else the first image.
    return min(images, key=lambda image: image[0])[1] if images else ""


def _object(answer: HttpResponse) -> dict[str, Raw]:
    document = members(answer.body)
    if not document:
        raise MalformedPage(f"{answer.url} is not a JSON object", url=answer.url)
    return document
