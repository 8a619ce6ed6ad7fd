"""Licenses of packages as SPDX expressions if recognized, with a status that says how."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from license_expression import Licensing  # type: ignore[import-untyped]

_ALIASES = {
    "apache 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "mit license": "MIT",
    "the mit license": "MIT",
    "gplv2": "GPL-2.0-only",
    "gplv3": "GPL-3.0-only",
    "gnu gplv3": "GPL-3.0-only",
    "lgplv3": "LGPL-3.0-only",
    "agplv3": "AGPL-3.0-only",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "mozilla public license 2.0": "MPL-2.0",
    "isc license": "ISC",
    "the unlicense": "Unlicense",
}
_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "The Unlicense (Unlicense)": "Unlicense",
}


@dataclass(frozen=True)
class License:
    """`status` is one of spdx, alias, file, proprietary, none, unparsed."""

    expression: str | None
    status: str


def read_license(value: object) -> License:
    """The license in a registry's field: a string, or one of npm's old objects and lists."""
    if isinstance(value, list) and value:
        # Nested lists are dropped, so recursion stays shallow.
        single = [item for item in value[:5] if not isinstance(item, list)]
        parts = [read_license(item).expression for item in single]
        known = [part for part in parts if part]
        return License(" OR ".join(known), "spdx") if known else License(None, "unparsed")
    if isinstance(value, dict):
        kind = value.get("type")
        return read_license(kind) if isinstance(kind, str) else License(None, "unparsed")
    if not isinstance(value, str) or not value.strip():
        return License(None, "none")
    raw = " ".join(value.split())
    if raw.upper().startswith("SEE LICENSE IN"):
        return License(None, "file")
    if raw.upper() == "UNLICENSED":
        return License(None, "proprietary")
    if len(raw) > 100:
        return License(None, "unparsed")
    alias = _ALIASES.get(raw.lower())
    if alias:
        return License(alias, "alias")
    # npm packages write MIT/X11 for a choice of licenses.
    expression = _spdx(raw.replace("/", " OR ") if " " not in raw else raw)
    return License(expression, "spdx" if expression else "unparsed")


def from_classifiers(classifiers: list[object]) -> License | None:
    """The license that Trove classifiers name, if they name exactly one."""
    leaves = {
        item.rpartition(" :: ")[2]
        for item in classifiers
        if isinstance(item, str) and item.startswith("License :: ")
    } - {"OSI Approved"}
    licenses = {_CLASSIFIERS.get(leaf) for leaf in leaves}
    (only,) = licenses if len(licenses) == 1 else (None,)
    return License(only, "alias") if only else None


def _spdx(raw: str) -> str | None:
    try:
        parsed = _licensing().parse(raw, validate=True, strict=True)
    except Exception:  # noqa: BLE001 - the library raises AttributeError and others on odd input
        return None
    return str(parsed) if parsed is not None else None


@cache
def _licensing() -> "Licensing":
    # Imported late, because loading the license data is slow.
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()
