"""What a client runs or connects to for an entry: one function for lists, pages and tools.

Commands are built as VS Code builds them from a server.json: fixed words, runtime arguments, `-e
NAME` for each variable of an image, the registry, the package, its arguments. Its runtimeHint is
ignored there, so it is here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]  # a server.json, or a part of it

_VARIABLE = re.compile(r"\{[^{}]*\}")
# A range, a tag or a word such as `latest` means another version tomorrow; to npm, so does `1.2`.
_FIXED_VERSION = {
    "npm": re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?"),
    "pypi": re.compile(
        r"(\d+!)?\d+(\.\d+)*([._-]?(a|b|c|rc|alpha|beta|post|dev)[._-]?\d*)*(\+[\w.]+)?"
    ),
    "nuget": re.compile(r"\d+(\.\d+){1,3}(-[0-9A-Za-z.-]+)?"),
}
_TAG_OR_DIGEST = re.compile(r"(:[\w][\w.-]*)?(@sha256:[0-9a-f]{64})?$")
_IMAGE = re.compile(
    r"([a-z0-9-]+(\.[a-z0-9-]+)*(:\d+)?/)?[a-z0-9._/-]+(:[\w][\w.-]*)?(@sha256:[0-9a-f]{64})?"
)
_DOCKER = ("docker", "run", "-i", "--rm")


@dataclass(frozen=True)
class Command:
    """A command that starts a package, as words. `spellings` are all forms in which clients and
    people write it, this one first; `asks` names what the user has to fill in: then no form is
    exact. `variables` are the names of environment variables that it reads."""

    spellings: tuple[tuple[str, ...], ...]
    asks: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connection:
    """The URL of a remote; variables stand in braces."""

    url: str


@dataclass(frozen=True)
class NoLaunch:
    """A package that no client can start by this entry, and why."""

    what: str
    why: str


Launch = Command | Connection | NoLaunch


def launches(server: Json, homes: Mapping[str, str]) -> Iterator[Launch]:
    """Each remote, then each package of a server.json.

    `homes` are the registries that the clients' commands ask by default, by registry type.
    """
    for remote in server.get("remotes") or ():
        yield Connection(remote["url"])
    for package in server.get("packages") or ():
        what = f"{package.get('registryType')} package {package.get('identifier')}"
        command = _command(package, homes)
        yield NoLaunch(what, command) if isinstance(command, str) else command


def _command(package: Json, homes: Mapping[str, str]) -> Command | str:
    """The command of a package, or why there is none."""
    build = _BUILDERS.get(package.get("registryType", ""))
    if build is None or not package.get("identifier"):
        return "no client has a command for this kind of package"
    if (package.get("transport") or {}).get("type") != "stdio":
        return "clients start packages for stdio, and this one serves HTTP"
    runtime = _words(package.get("runtimeArguments"))
    own = _words(package.get("packageArguments"))
    spellings = build(package, runtime.words, own.words, homes.get(package["registryType"]))
    if isinstance(spellings, str):
        return spellings
    names = tuple(variable["name"] for variable in package.get("environmentVariables") or ())
    return Command(spellings, runtime.asks + own.asks, names)


_Words = tuple[str, ...]
_Spellings = tuple[_Words, ...] | str


def _npm(package: Json, runtime: _Words, own: _Words, home: str | None) -> _Spellings:
    version = package.get("version")
    if reason := _moving("npm", version):
        return reason
    given = tuple(word for word in runtime if word not in ("-y", "--yes"))
    return tuple(
        dict.fromkeys(
            ("npx", *words, *base, f"{package['identifier']}@{version}", *own)
            for base in _bases("--registry", package, home)
            # People write -y, VS Code adds none and keeps the entry's own words.
            for words in (("-y", *given), given, runtime)
        )
    )


def _pypi(package: Json, runtime: _Words, own: _Words, home: str | None) -> _Spellings:
    name, version = package["identifier"], package.get("version")
    if reason := _moving("pypi", version):
        return reason
    return tuple(
        ("uvx", *runtime, *base, spec, *own)
        for base in _bases("--index-url", package, home)
        for spec in (f"{name}=={version}", f"{name}@{version}")  # older clients, newer ones
    )


def _nuget(package: Json, runtime: _Words, own: _Words, home: str | None) -> _Spellings:
    version = package.get("version")
    if reason := _moving("nuget", version):
        return reason
    spec = f"{package['identifier']}@{version}"
    rest = ("--", *own) if own else ()
    return tuple(
        ("dnx", *runtime, *base, spec, "--yes", *rest) for base in _bases("--source", package, home)
    )


def _oci(package: Json, runtime: _Words, own: _Words, _: str | None) -> _Spellings:
    image, base, version = (
        package["identifier"],
        package.get("registryBaseUrl"),
        package.get("version"),
    )
    if base and "://" in base:
        return "its registryBaseUrl is a URL, which no image name can begin with"
    if set(runtime) & {"run", "-i", "--rm"}:
        return "its runtime arguments repeat `docker run -i --rm`, which clients write themselves"
    if base:
        image = f"{base.rstrip('/')}/{image}"
    last = image.rpartition("/")[2]
    if version and not re.search("[:@]", last):
        image = f"{image}:{version}"
    named = _TAG_OR_DIGEST.search(image.rpartition("/")[2])
    tag, digest = named.groups() if named else (None, None)
    if not digest and tag in (None, ":latest"):
        return "it names no version: no tag, digest or `version` but `latest`"
    if not _IMAGE.fullmatch(image):
        return "its identifier is no image name"
    variables = [variable["name"] for variable in package.get("environmentVariables") or ()]
    passed = tuple(word for name in variables for word in ("-e", name))
    return ((*_DOCKER, *runtime, *passed, image, *own),)


_BUILDERS = {"npm": _npm, "pypi": _pypi, "nuget": _nuget, "oci": _oci}


def _moving(kind: str, version: str | None) -> str:
    """Why a version does not name one release; empty if it does."""
    if not version:
        return "it names no version"
    fixed = _FIXED_VERSION[kind].fullmatch(version)
    return "" if fixed else f"its version {version} can mean several"


def _bases(option: str, package: Json, home: str | None) -> tuple[_Words, ...]:
    """The option for the package's registry, if it names one; the default one needs none."""
    base = package.get("registryBaseUrl")
    if not base:
        return ((),)
    default = home is not None and base.rstrip("/") == home.rstrip("/")
    return ((option, base), ()) if default else ((option, base),)


@dataclass(frozen=True)
class _Arguments:
    words: _Words
    asks: tuple[str, ...]


def _words(arguments: list[Json] | None) -> _Arguments:
    """Arguments as words, and what the user is asked for."""
    words: list[str] = []
    asks: list[str] = []
    for argument in arguments or ():
        name, value = argument.get("name") or "", argument.get("value")
        if argument["type"] == "named":
            words.append(name)
        label = name or argument.get("valueHint") or "argument"
        if value is not None:
            words.append(value)
            asks += _VARIABLE.findall(name + value)
        elif argument["type"] == "positional" or _described(argument):
            asks.append(label)
        else:
            asks += _VARIABLE.findall(name)  # a flag without a value
    return _Arguments(tuple(words), tuple(asks))


def _described(argument: Json) -> bool:
    """Whether a client asks for the value of a named argument; a bare one is a flag."""
    return any(argument.get(field) for field in ("description", "default", "choices", "isRequired"))
