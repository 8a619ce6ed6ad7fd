"""Export: a feed's live edition as files: a static tree, or an allow-list for a client."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipelines.deployment import Deployment
from pipelines.errors import StepError, UsageError
from serve.allowlists import FORMS, allow_list
from serve.edition import Edition
from serve.errors import ServeError
from serve.feed import ServedFeed
from serve.files import JsonFile, replace_file
from serve.shelf import LiveShelf
from serve.static import export_static


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


def export(
    deployment: Deployment, served: ServedFeed, form: str, path: Path, *, key: Path | None = None
) -> ExportReport:
    """Write the live edition, less what is blocked, as `form`: `static`, or one of FORMS.

    Where it went is remembered, so that a block takes it out of there too. Raises NoEdition,
    UsageError, ExportFailed.
    """
    shelf = LiveShelf(deployment.settings.feed_root, served, now=deployment.clock)
    report = _written(deployment, shelf.live(), served, form, path, key)
    file = _memory(deployment, served)
    with file.held():
        found = _Remembered(form, str(path.resolve()), str(key.resolve()) if key else None)
        others = [known for known in file.read() if known.path != found.path]
        file.write([*others, found])
    return report


def renew(deployment: Deployment, served: ServedFeed) -> list[ExportReport]:
    """Write every export of a feed anew that still is where it was put."""
    shelf = LiveShelf(deployment.settings.feed_root, served, now=deployment.clock)
    return [
        _written(
            deployment,
            shelf.live(),
            served,
            known.form,
            Path(known.path),
            Path(known.key) if known.key else None,
        )
        for known in _memory(deployment, served).read()
        if Path(known.path).exists()
    ]


def _memory(deployment: Deployment, served: ServedFeed) -> JsonFile[_Remembered]:
    return JsonFile(deployment.feed(served.name).folder / "exports.json", _Remembered)


def _written(
    deployment: Deployment,
    edition: Edition,
    served: ServedFeed,
    form: str,
    path: Path,
    key: Path | None,
) -> ExportReport:
    if form == "static":
        done = export_static(edition, served, path, key=key)
        return ExportReport(
            served.name, form, str(done.path), done.edition, done.files, done.bytes, done.left_out
        )
    if form not in FORMS:
        raise UsageError(f"there is no form {form}; they are static, {', '.join(FORMS)}")
    site = deployment.settings.public_url.rstrip("/")
    if form == "vscode" and not site:
        raise UsageError("VS Code is told where the feed is: set SUBREGISTRY_PUBLIC_URL")
    found = allow_list(edition, form, url=site + served.prefix.decode())
    data = msgspec.json.format(msgspec.json.encode(found.document), indent=2) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise StepError(f"{path} cannot be written: {error}") from error
    name = edition.manifest.edition
    return ExportReport(served.name, form, str(path), name, 1, len(data), found.left_out)


def renew_all(deployment: Deployment) -> list[ExportReport | str]:
    """Renew the exports of every feed; what cannot be written is told as a text."""
    found: list[ExportReport | str] = []
    for policy in deployment.documents().valid:
        try:
            found += renew(deployment, policy.served)
        except (ServeError, StepError, OSError) as error:
            found.append(f"an export of feed {policy.name} was not renewed: {error}")
    return found
