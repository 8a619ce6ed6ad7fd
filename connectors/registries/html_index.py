"""A Python index in HTML, as mirrors without the JSON form answer, turned into that form.

Follows the simple repository API: an anchor is a file, with its hash in the fragment and what is
known of it in `data-` attributes. Pages are cut by bounded patterns: a parser of HTML takes time
that grows with the square of hostile bytes.
"""

import re
from contextlib import suppress
from html import unescape
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from connectors.errors import MalformedPage

_ANCHOR = re.compile(r"<a\s([^<>]{1,8000})>", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"([a-z-]{1,50})(?:\s?=\s?(?:\"([^\"]{0,4000})\"|'([^']{0,4000})'))?", re.IGNORECASE
)
_LONGEST = 500  # characters of a file's name


def json_form(body: bytes, *, project: str, url: str) -> bytes:
    """An index in its JSON form: unchanged, or made of HTML, which cannot say versions, instants
    and serial.

    Raises MalformedPage if no anchor is a file of the project: a page of a portal is no index.
    """
    if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] != b"<":
        return body
    files = [file for file in _files(body) if _is_of(file["filename"], project)]
    if not files:
        raise MalformedPage(
            f"{url} is HTML without a file of {project}; is it a login page, or no index?", url=url
        )
    return msgspec.json.encode({"name": project, "files": files})


def _files(body: bytes) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = []
    for anchor in _ANCHOR.finditer(body.decode("utf-8", "replace")):
        given = {
            name.lower(): unescape(double or single)
            for name, double, single in _ATTRIBUTE.findall(anchor[1])
        }
        with suppress(ValueError):
            parts = urlsplit(given.get("href", ""))
            file: dict[str, Any] = {"filename": unquote(parts.path.rpartition("/")[2])}
            hashes = parse_qs(parts.fragment)
            file["hashes"] = {name: values[0] for name, values in hashes.items()}
            if "data-yanked" in given:
                file["yanked"] = given["data-yanked"] or True
            files.append(file)
    return files


def _is_of(name: str, project: str) -> bool:
    """Whether a file is one of the project; old names need not follow the rules."""
    if len(name) > _LONGEST:
        return False
    wanted = canonicalize_name(project)
    with suppress(ValueError):
        if name.endswith(".whl"):
            return parse_wheel_filename(name)[0] == wanted
        if name.endswith((".tar.gz", ".zip")):
            return parse_sdist_filename(name)[0] == wanted
    return canonicalize_name(name).startswith(f"{wanted}-")
