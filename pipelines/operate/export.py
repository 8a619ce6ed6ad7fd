"""Export: write a feed's live edition as files: a static tree, or an allow-list for a client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from connectors.origins import DEFAULTS, default_url
from pipelines.errors import StepError, UsageError
from serve.disk import JsonFile, replace_file
from serve.edition.edition import Edition
from serve.errors import ServeError
from serve.export.allowlists import FORMS, allow_list
from serve.export.static import export_static
from serve.feed.feed import Feed
from serve.policy.served_feed import ServedFeed
from serve.server.live_editions import LiveEditions
from warehouse.curation.feeds import server_documents
from warehouse.database.warehouse import Warehouse
from warehouse.errors import WarehouseError

_DENYING = ("copilot", "claude-code")
_LISTING_NOTHING = ("vscode",)
"""Forms that name the feed and no server, so that no block changes them."""


@dataclass(frozen=True)
class ExportReport:
    """What was written. `left_out` lists what the form cannot express or has no path for."""

    feed: str
    form: str
    path: str
    edition: str
    files: int
    bytes: int
    left_out: tuple[str, ...] = ()


class _Remembered(msgspec.Struct, frozen=True):
    """An export that a block renews: its form, its path and its key file."""

    form: str
    path: str
    key: str | None = None


@dataclass(frozen=True)
class Exporter:
    """The folder of a deployment's feeds, the address that readers use, the warehouse, which knows
    what was withdrawn, and the clock."""

    feed_root: Path
    public_url: str
    warehouse: Warehouse
    now: Callable[[], datetime]

    def memory(self, feed: str) -> JsonFile[_Remembered]:
        """The file that lists the exports of a feed."""
        return JsonFile(Feed(self.feed_root, feed).folder / "exports.json", _Remembered)

    def live(self, served: ServedFeed) -> Edition:
        """The live edition without what is blocked. Raises NoEdition."""
        return LiveEditions(self.feed_root, served, now=self.now).live()


def export(
    exporter: Exporter, served: ServedFeed, form: str, path: Path, *, key: Path | None = None
) -> ExportReport:
    """Write the live edition, without what is blocked, as `form`: `static`, or one of FORMS.

    The path is remembered, so that a later block renews this export too, if it lists servers.
    Raises NoEdition, UsageError, ExportFailed.
    """
    file = exporter.memory(served.name)
    with file.held():
        report = _written(exporter, served, form, path, key)
        made = _Remembered(form, str(path.resolve()), str(key.resolve()) if key else None)
        others = [known for known in file.read() if known.path != made.path]
        file.write(others if form in _LISTING_NOTHING else [*others, made])
    return report


def _written(
    exporter: Exporter, served: ServedFeed, form: str, path: Path, key: Path | None
) -> ExportReport:
    edition = exporter.live(served)
    if form == "static":
        done = export_static(edition, served, path, key=key)
        return ExportReport(
            served.name, form, str(done.path), done.edition, done.files, done.bytes, done.left_out
        )
    if form not in FORMS:
        raise UsageError(f"there is no form {form}; they are static, {', '.join(FORMS)}")
    site = exporter.public_url.rstrip("/")
    if form == "vscode" and not site:
        raise UsageError("VS Code is told where the feed is: set SUBREGISTRY_PUBLIC_URL")
    homes = {kind: default_url(kind) for kind in DEFAULTS}
    denied, unknown = _withdrawn(exporter.warehouse, edition) if form in _DENYING else ([], ())
    listing = allow_list(
        edition, form, url=site + served.prefix.decode(), homes=homes, denied=denied
    )
    if unknown:  # what was denied stays denied
        listing.document.update(_denied_before(path))
    data = msgspec.json.format(msgspec.json.encode(listing.document), indent=2) + b"\n"
    if path.is_symlink():
        raise UsageError(f"{path} is a symbolic link; name the file itself")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise StepError(f"{path} cannot be written: {error}") from error
    name = edition.manifest.edition
    left_out = (*listing.left_out, *unknown)
    return ExportReport(served.name, form, str(path), name, 1, len(data), left_out)


def _denied_before(path: Path) -> dict[str, Any]:
    try:
        former = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}
    key = "deniedMcpServers"
    return {key: former[key]} if key in former else {}


def _withdrawn(
    warehouse: Warehouse, edition: Edition
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """The server.json of all that was withdrawn from an edition or is blocked, and what is not
    known of it. An export never waits for the warehouse: a block must be fast."""
    keys = [
        edition.keys.pair(index)
        for index in range(edition.count)
        if edition.state(index) == "withdrawn"
        # Where only a newer version took its place, the server is not withdrawn.
        and edition.records.rule(edition.key(index)) != "latest"
    ]
    if not keys:
        return [], ()
    if not warehouse.path.exists():
        return [], ("not denied: what was withdrawn since; there is no warehouse here",)
    try:
        with warehouse.waiting(0).session() as session:
            documents = server_documents(session, keys)
    except (WarehouseError, OSError) as error:
        return [], (f"not denied: what was withdrawn since; it cannot be read now: {error}",)
    return [msgspec.json.decode(document) for document in documents], ()


def renew_all(exporter: Exporter, served: Mapping[str, ServedFeed]) -> list[ExportReport | str]:
    """Write every export of every feed again that still exists where it was written.

    `served` says how feeds are served now; for other feeds, their folder says how they were. An
    export that cannot be written is returned as a text and stops no other. Waits for exports that
    are under way.
    """
    results: list[ExportReport | str] = []
    for memory in sorted(exporter.feed_root.glob("*/exports.json")):
        name = memory.parent.name
        try:
            identity = served.get(name) or Feed(exporter.feed_root, name).identity()
            if identity is None:
                results.append(f"the exports of feed {name} were not renewed: it has no document")
                continue
            file = exporter.memory(name)
            with file.held():
                results += [
                    _renewed(exporter, identity, known)
                    for known in file.read()
                    if known.form not in _LISTING_NOTHING  # remembered once
                ]
        except (ServeError, StepError, OSError, msgspec.DecodeError) as error:
            results.append(f"the exports of feed {name} were not renewed: {error}")
    return results


def _renewed(exporter: Exporter, served: ServedFeed, known: _Remembered) -> ExportReport | str:
    path, key = Path(known.path), Path(known.key) if known.key else None
    if not path.exists():
        return f"{path} is gone, and not written again"
    try:
        return _written(exporter, served, known.form, path, key)
    except (ServeError, StepError, OSError) as error:
        return f"{path} still shows what feed {served.name} was: {error}"
