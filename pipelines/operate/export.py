"""Export: a feed's live edition as files: a static tree, or an allow-list for a client."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from connectors.origins import default_url
from pipelines.deployment import Deployment
from pipelines.errors import StepError, UsageError
from serve.disk import JsonFile, replace_file
from serve.edition.edition import Edition
from serve.errors import ServeError
from serve.export.allowlists import FORMS, allow_list
from serve.export.static import export_static
from serve.policy.served_feed import ServedFeed
from serve.server.shelf import LiveShelf


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
    file = _memory(deployment, served.name)
    with file.held():
        shelf = LiveShelf(deployment.settings.feed_root, served, now=deployment.clock)
        report = _written(deployment, shelf.live(), served, form, path, key)
        found = _Remembered(form, str(path.resolve()), str(key.resolve()) if key else None)
        others = [known for known in file.read() if known.path != found.path]
        file.write([*others, found])
    return report


def _memory(deployment: Deployment, name: str) -> JsonFile[_Remembered]:
    return JsonFile(deployment.feed(name).folder / "exports.json", _Remembered)


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
    homes = {kind: default_url(kind) for kind in ("npm", "pypi")}
    found = allow_list(edition, form, url=site + served.prefix.decode(), homes=homes)
    data = msgspec.json.format(msgspec.json.encode(found.document), indent=2) + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, data)
    except OSError as error:
        raise StepError(f"{path} cannot be written: {error}") from error
    name = edition.manifest.edition
    return ExportReport(served.name, form, str(path), name, 1, len(data), found.left_out)


def renew_all(deployment: Deployment) -> list[ExportReport | str]:
    """Write every export of every feed anew that is still where it was put.

    One that cannot be written is told as a text, and stops no other. Exports under way are waited
    for.
    """
    found: list[ExportReport | str] = []
    try:
        served = {policy.name: policy.served for policy in deployment.documents().valid}
    except ServeError:
        served = {}  # the feeds say themselves how they were served
    for memory in sorted(deployment.settings.feed_root.glob("*/exports.json")):
        name = memory.parent.name
        try:
            how = served.get(name) or deployment.feed(name).identity()
            if how is None:
                found.append(f"the exports of feed {name} were not renewed: it has no document")
                continue
            file = _memory(deployment, name)
            with file.held():
                found += [_renewed(deployment, how, known) for known in file.read()]
        except (ServeError, StepError, OSError, msgspec.DecodeError) as error:
            found.append(f"the exports of feed {name} were not renewed: {error}")
    return found


def _renewed(deployment: Deployment, served: ServedFeed, known: _Remembered) -> ExportReport | str:
    path, key = Path(known.path), Path(known.key) if known.key else None
    if not path.exists():
        return f"{path} is gone, and not written again"
    try:
        shelf = LiveShelf(deployment.settings.feed_root, served, now=deployment.clock)
        return _written(deployment, shelf.live(), served, known.form, path, key)
    except (ServeError, StepError, OSError) as error:
        return f"{path} still shows what feed {served.name} was: {error}"
