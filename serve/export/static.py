"""A feed as a tree of files, for object stores and plain web servers.

DIR/current -> EDITION.N/      replaced by rename when a tree is complete; the old tree is removed
DIR/nginx.conf                 serves the tree; adds what files cannot do: pages, CORS, problems
EDITION.N/manifest.json        the edition, and for every key its file, size and SHA-256
EDITION.N/manifest.json.sig    base64 of an Ed25519 signature of manifest.json, if a key was given
EDITION.N/v0.1/servers/...     see `_files`; v0 and servers are links to the same files
EDITION.N/pages/CURSOR.json    pages of the lists: all, latest, deleted (all and tombstones)
FILE.gz                        beside every file

A key can be both a file and a folder; then the file is `index.json` in that folder. Names stand in
paths unencoded: a request that encodes them once finds them. The same edition gives the same bytes.
"""

import base64
import gzip
import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import count, groupby
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from serve.api import models
from serve.api.answers import encode
from serve.api.registry import description
from serve.disk import replace_file, sync
from serve.edition.base import LATEST
from serve.edition.edition import Edition
from serve.edition.selection import Selection
from serve.errors import ExportFailed
from serve.policy.served_feed import ServedFeed
from serve.routes import ROUTES, VERSIONS

_PAGE = 100
_WHOLE = 10 << 20
_PREFIXES = (*reversed(VERSIONS), "")
_WRITTEN = ("servers", "registry.json", "openapi.json", "openapi.yaml", "health", "ping")
"""First words of the paths that are files; other routes of a feed are answered with 501."""
_TREE = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}\.\d+(\.part)?")


@dataclass(frozen=True)
class Exported:
    """A complete tree. `left_out` are the paths that cannot be files."""

    path: Path
    edition: str
    files: int
    bytes: int
    left_out: tuple[str, ...]


def export_static(
    edition: Edition, served: ServedFeed, folder: Path, *, key: Path | None = None
) -> Exported:
    """Write the tree of an edition, then point `current` to it. Raises ExportFailed, OSError."""
    signer = _signer(key) if key else None
    _check(folder, served)
    numbers = (f"{edition.manifest.edition}.{number}" for number in count(1))
    name = next(name for name in numbers if not (folder / name).exists())
    part = folder / f"{name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tree = _Tree(part)
    for path, body in _files(edition, served):
        tree.write(path, body)
    _link(part)
    manifest = msgspec.json.format(msgspec.json.encode(tree.manifest(edition)))
    (part / "manifest.json").write_bytes(manifest)
    if signer is not None:
        (part / "manifest.json.sig").write_bytes(base64.b64encode(signer.sign(manifest)) + b"\n")
    sync(part)
    return _stand(folder, part, name, served, tree)


def _check(folder: Path, served: ServedFeed) -> None:
    """Raises ExportFailed for a folder that contains anything but exports of this feed."""
    if set(str(folder)) & set('"$\\\n'):
        raise ExportFailed(f"{folder}: nginx cannot be told of a folder with such a name")
    if not folder.exists():
        return
    link = folder / "current"
    ours = link.is_symlink() and _TREE.fullmatch(str(link.readlink()))
    known = {"current", "current.part", "nginx.conf"} if ours else set()
    if not folder.is_dir() or any(
        path.name not in known and not _TREE.fullmatch(path.name) for path in folder.iterdir()
    ):
        raise ExportFailed(f"{folder} has other things in it; name an empty folder, or a new one")
    if ours and (link / "manifest.json").exists():
        feed = msgspec.json.decode((link / "manifest.json").read_bytes())["feed"]
        if feed != served.name:
            raise ExportFailed(f"{folder} has the feed {feed}; give each feed a folder of its own")


def _stand(folder: Path, part: Path, name: str, served: ServedFeed, tree: "_Tree") -> Exported:
    """Move the finished tree into place, switch the link to it, and remove the other trees."""
    place, new = folder / name, folder / "current.part"
    part.rename(place)
    new.unlink(missing_ok=True)
    new.symlink_to(name)
    # A rename replaces the old link atomically.
    new.replace(folder / "current")
    replace_file(folder / "nginx.conf", nginx_conf(folder, served).encode())
    for other in folder.iterdir():
        if _TREE.fullmatch(other.name) and other.name != name:
            shutil.rmtree(other)
    return Exported(place, name, len(tree.written), tree.size, tuple(tree.left_out))


def nginx_conf(folder: Path, served: ServedFeed) -> str:
    """The content of a server block that serves the tree in `folder` at the feed's base path."""
    text = (files("serve.export") / "nginx.conf").read_text()
    unable = [route.word for route in ROUTES if not (route.process or route.word in _WRITTEN)]
    values = {
        "@ROOT@": str(folder.resolve() / "current"),
        "@BASE@": served.prefix.decode(),
        "@UNABLE@": "|".join(unable),
    }
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def _files(edition: Edition, served: ServedFeed) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file below one prefix, and of the files beside it.

    servers/index.json                    every latest version; above 10 MiB only the first page
    servers/NAME/index.json               the latest version
    servers/NAME/versions/index.json      all versions that are not deleted, newest first
    servers/NAME/versions/{latest,V}      one version, unless its name has a meaning here
    """
    yield from _lists(edition)
    for name, group in groupby(
        (i for i in range(edition.count) if not edition.deleted(i)),
        key=lambda index: edition.keys.pair(index)[0],
    ):
        numbers = list(group)
        for index in numbers:
            body, version = edition.body(index) + b"\n", edition.keys.pair(index)[1]
            odd = version in ("latest", "index.json") or version.endswith(".gz")
            # The empty segment makes `_Tree.write` count such a version as left out.
            yield f"v0.1/servers/{name}/versions/{'/' if odd else ''}{version}", body
            if edition.arrays["flags"][index] & LATEST:
                yield f"v0.1/servers/{name}/index.json", body
                yield f"v0.1/servers/{name}/versions/latest", body
        published = edition.arrays["published"]
        numbers.sort(key=lambda index: -int(published[index]))
        yield f"v0.1/servers/{name}/versions/index.json", _page(edition, numbers)
    for file in ("openapi.json", "openapi.yaml"):
        yield file, description(served, file.encode()).body
    yield "health", msgspec.json.encode(_alive(edition)) + b"\n"
    yield "ping", msgspec.json.encode(models.Ping(pong=True)) + b"\n"


def _alive(edition: Edition) -> dict[str, object]:
    """The health that a file can report: nothing in it changes with time."""
    known = edition.manifest
    return {
        "status": "ok",
        "feed": known.feed,
        "edition": known.edition,
        "sequence": known.sequence,
        "publishedAt": known.published_at,
        "entries": known.entries,
    }


def _lists(edition: Edition) -> Iterator[tuple[str, bytes]]:
    latest = list(edition.select(0, Selection(latest=True)))
    whole = _page(edition, latest)
    pages = {
        kind: list(_pages(edition, kind, numbers))
        for kind, numbers in (
            ("latest", latest),
            ("all", list(edition.select(0, Selection()))),
            ("deleted", range(edition.count)),
        )
    }
    yield "v0.1/servers/index.json", whole if len(whole) <= _WHOLE else pages["latest"][0][1]
    servers = [
        {"server": msgspec.json.decode(edition.body(i), type=dict[str, msgspec.Raw])["server"]}
        for i in latest
    ]
    yield "registry.json", msgspec.json.encode({"servers": servers}) + b"\n"
    for bodies in pages.values():
        for cursor, body in bodies:
            yield f"pages/{cursor}.json", body


def _pages(edition: Edition, kind: str, numbers: Sequence[int]) -> Iterator[tuple[str, bytes]]:
    """The pages of a list with their cursors; the first page has the cursor `KIND`."""
    starts: list[int] = []
    start = 0
    while start < len(numbers) or not starts:
        starts.append(start)
        start += max(edition.fitting(numbers[start : start + _PAGE]), 1)
    for number, start in enumerate(starts):
        last = number + 1 == len(starts)
        end = len(numbers) if last else starts[number + 1]
        after = None if last else _cursor(edition, kind, number + 1)
        yield _cursor(edition, kind, number), _page(edition, numbers[start:end], after)


def _cursor(edition: Edition, kind: str, number: int) -> str:
    return f"{kind}-{edition.manifest.sequence}-{number}" if number else kind


def _page(edition: Edition, numbers: Sequence[int], cursor: str | None = None) -> bytes:
    metadata = ({"nextCursor": cursor} if cursor else {}) | {"count": len(numbers)}
    servers = b",".join(edition.body(index) for index in numbers)
    return b'{"servers":[%b],"metadata":%b}\n' % (servers, encode(metadata)[:-1])


class _Tree:
    """Writes files and keeps their sizes and hashes; leaves out paths that cannot be files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.written: dict[str, tuple[int, str]] = {}
        self.left_out: list[str] = []
        self.size = 0

    def write(self, path: str, body: bytes) -> None:
        parts = path.split("/")
        # File systems allow names of 255 bytes, and `.gz` must fit too.
        if any(part in ("", ".", "..") or len(part.encode()) > 240 for part in parts):
            self.left_out.append(path)
            return
        place, gz = self._root / path, self._root / f"{path}.gz"
        packed = gzip.compress(body, 6, mtime=0)  # no time, so that the bytes stay the same
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            for file, data in ((place, body), (gz, packed)):
                # "x" finds paths that the file system takes for the same, by case for example.
                with file.open("xb") as opened:
                    opened.write(data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError, ValueError):
            if path not in self.written:
                self.left_out.append(path)
            return
        self.written[path] = (len(body), hashlib.sha256(body).hexdigest())
        self.size += len(body) + len(packed)

    def manifest(self, edition: Edition) -> dict[str, object]:
        known = edition.manifest
        return {
            "feed": known.feed,
            "edition": known.edition,
            "sequence": known.sequence,
            "publishedAt": known.published_at,
            "contentHash": known.content_hash,
            "leftOut": self.left_out,
            "files": [
                {"key": key, "file": path, "size": size, "sha256": digest}
                for path, (size, digest) in sorted(self.written.items())
                for key in _keys(path)
            ],
        }


def _keys(path: str) -> Iterator[str]:
    """The request paths that a file answers, relative to the base path."""
    key = path.removesuffix("/index.json")
    if not key.startswith("v0.1/"):
        yield key
        return
    for prefix in _PREFIXES:
        yield f"{prefix}/{key.removeprefix('v0.1/')}".lstrip("/")


def _link(root: Path) -> None:
    """Link the other prefixes to the same files."""
    (root / "v0").symlink_to("v0.1")
    (root / "servers").symlink_to("v0.1/servers")


def _signer(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ExportFailed(
            f"{path} is no key to sign with ({error}); make one with: openssl genpkey -algorithm "
            "ed25519 -out FILE"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ExportFailed(
            f"{path} is no Ed25519 key; make one with: openssl genpkey -algorithm ed25519"
        )
    return key
