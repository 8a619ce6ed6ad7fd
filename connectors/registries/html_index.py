"""A Python index in HTML, as mirrors without the JSON form answer, turned into that form.

Follows the simple repository API: an anchor is a file, with its hash in the fragment and what is
known of it in `data-` attributes.
"""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from connectors.errors import MalformedPage
from connectors.registries.releases import version_of_file


def json_of_html(body: bytes, *, project: str, url: str) -> bytes:
    """The index in its JSON form, without what HTML cannot say (versions, instants, serial).

    Raises MalformedPage if no anchor is a file of the project: a page of a portal is no index.
    """
    anchors = _Anchors()
    anchors.feed(body.decode("utf-8", "replace"))
    anchors.close()
    files = [file for file in anchors.files if version_of_file(file["filename"], project)]
    if not files:
        raise MalformedPage(
            f"{url} is HTML without a file of {project}; is it a login page, or no index?", url=url
        )
    return msgspec.json.encode({"name": project, "files": files})


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.files: list[dict[str, Any]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        href = given.get("href")
        if tag != "a" or not href:
            return
        try:
            parts = urlsplit(href)
        except ValueError:
            return
        file: dict[str, Any] = {"filename": unquote(parts.path.rpartition("/")[2]), "url": href}
        file["hashes"] = {name: values[0] for name, values in parse_qs(parts.fragment).items()}
        if "data-yanked" in given:
            file["yanked"] = given["data-yanked"] or True
        if requires := given.get("data-requires-python"):
            file["requires-python"] = requires
        self.files.append(file)
