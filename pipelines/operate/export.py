"""Export: a feed's live edition as files: a static tree, or an allow-list for a client."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

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


@dataclass(frozen=True)
class ExportReport:
    """What was written. `left_out` says what the form has no words or path for."""

    feed: str
    form: str
    path: str
    edition: str
    files: int
    bytes: int
    left_out: tuple[str, ...] = ()


class _Remembered(msgspec.Struct, frozen=True):
    """An export that blocks renew: where it went, in which form, with which key."""

    form: str
    path: str
    key: str | None = None


@dataclass(frozen=True)
class Exporter:
    """Where the feeds of a deployment are, and at which address readers find them."""

    feed_root: Path
    public_url: str
    now: Callable[[], datetime]

    def memory(self, feed: str) -> JsonFile[_Remembered]:
        """The exports of a feed that were made."""
        return JsonFile(Feed(self.feed_root, feed).folder / "exports.json", _Remembered)

    def live(self, served: ServedFeed) -> Edition:
        """The live edition, less what is blocked. Raises NoEdition."""
        return LiveEditions(self.feed_root, served, now=self.now).live()


def export(
    exporter: Exporter, served: ServedFeed, form: str, path: Path, *, key: Path | None = None
) -> ExportReport:
    """Write the live edition, less what is blocked, as `form`: `static`, or one of FORMS.

    Where it went is remembered, so that a block takes it out of there too. Raises NoEdition,
    UsageError, ExportFailed.
    """
    file = exporter.memory(served.name)
    with file.held():
        report = _written(exporter, served, form, path, key)
        found = _Remembered(form, str(path.resolve()), str(key.resolve()) if key else None)
        others = [known for known in file.read() if known.path != found.path]
        file.write([*others, found])
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
    found = allow_list(edition, form, url=site + served.prefix.decode(), homes=homes)
    data = msgspec.json.format(msgspec.json.encode(found.document), indent=2) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise StepError(f"{path} cannot be written: {error}") from error
    name = edition.manifest.edition
    return ExportReport(served.name, form, str(path), name, 1, len(data), found.left_out)


def renew_all(exporter: Exporter, served: Mapping[str, ServedFeed]) -> list[ExportReport | str]:
    """Write every export of every feed again that is still where it was put.

    `served` says how feeds are served now; of another one its folder says how it was. An export
    that cannot be written is told as a text, and stops no other. Exports under way are waited for.
    """
    found: list[ExportReport | str] = []
    for memory in sorted(exporter.feed_root.glob("*/exports.json")):
        name = memory.parent.name
        try:
            how = served.get(name) or Feed(exporter.feed_root, name).identity()
            if how is None:
                found.append(f"the exports of feed {name} were not renewed: it has no document")
                continue
            file = exporter.memory(name)
            with file.held():
                found += [_renewed(exporter, how, known) for known in file.read()]
        except (ServeError, StepError, OSError, msgspec.DecodeError) as error:
            found.append(f"the exports of feed {name} were not renewed: {error}")
    return found


def _renewed(exporter: Exporter, served: ServedFeed, known: _Remembered) -> ExportReport | str:
    path, key = Path(known.path), Path(known.key) if known.key else None
    if not path.exists():
        return f"{path} is gone, and not written again"
    try:
        return _written(exporter, served, known.form, path, key)
    except (ServeError, StepError, OSError) as error:
        return f"{path} still shows what feed {served.name} was: {error}"
