"""Types that the strictest clients can decode; a server.json that fits them is served unchanged.

Source: the published server.json schema, narrowed by what real clients refuse. msgspec checks an
entry in microseconds, so every entry is checked and only those that need a repair are rewritten.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"
VARIABLE_FIRST = False
"""Whether an address may begin with a variable that it declares (`{baseUrl}/mcp`). The present
schema forbids it, the next one allows it: set this with SCHEMA."""
# Patterns end with `\Z`, because `$` also matches before a trailing line feed.
HttpUrl = Annotated[str, Meta(pattern=r"^(https?://[^\s]|\{\w+\})[^\s]*\Z")]
WebUrl = Annotated[
    str,
    Meta(
        max_length=2000,
        pattern=r"^https?://([^\s/?#@\[\]]+@)?[a-zA-Z0-9._-]+(:\d{1,5})?([/?#]\S*)?\Z",
    ),
]
Text = Annotated[str, Meta(min_length=1)]


class Input(msgspec.Struct, rename="camel"):
    description: str | UnsetType = UNSET
    is_required: bool | UnsetType = UNSET
    format: Literal["string", "number", "boolean", "filepath"] | UnsetType = UNSET
    value: str | UnsetType = UNSET
    is_secret: bool | UnsetType = UNSET
    default: str | UnsetType = UNSET
    placeholder: str | UnsetType = UNSET
    choices: list[str] | UnsetType = UNSET


class InputWithVariables(Input, rename="camel"):
    variables: dict[str, Input] | UnsetType = UNSET


class KeyValue(InputWithVariables, rename="camel", kw_only=True):
    name: str


class Named(InputWithVariables, rename="camel", tag="named", kw_only=True):
    name: Text
    value_hint: str | UnsetType = UNSET
    is_repeated: bool | UnsetType = UNSET


class Positional(InputWithVariables, rename="camel", tag="positional", kw_only=True):
    name: str | UnsetType = UNSET
    value_hint: str | UnsetType = UNSET
    is_repeated: bool | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.value is UNSET and self.value_hint is UNSET:
            raise ValueError("a positional argument has neither value nor valueHint")


class Stdio(msgspec.Struct, tag_field="type", tag="stdio"):
    url: UnsetType = UNSET  # no value fits UnsetType: the member must be absent
    headers: UnsetType = UNSET
    variables: UnsetType = UNSET


class _Address(msgspec.Struct):
    url: HttpUrl
    headers: list[KeyValue] | UnsetType = UNSET
    variables: dict[str, Input] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.url.startswith("{"):
            name = self.url[1:].partition("}")[0]
            declared = self.variables is not UNSET and name in self.variables
            if not (VARIABLE_FIRST and declared):
                raise ValueError(f"the address begins with the variable {name}, not with https://")


class StreamableHttp(_Address, tag_field="type", tag="streamable-http"):
    pass


class Sse(_Address, tag_field="type", tag="sse"):
    pass


class Package(msgspec.Struct, rename="camel"):
    registry_type: Text
    identifier: Text
    transport: Stdio | StreamableHttp | Sse
    registry_base_url: str | UnsetType = UNSET
    version: Annotated[str, Meta(pattern=r"^(?!latest\Z)[\s\S]+\Z")] | UnsetType = UNSET
    file_sha256: Annotated[str, Meta(pattern=r"^[a-f0-9]{64}\Z")] | UnsetType = UNSET
    runtime_hint: str | UnsetType = UNSET
    runtime_arguments: list[Named | Positional] | UnsetType = UNSET
    package_arguments: list[Named | Positional] | UnsetType = UNSET
    environment_variables: list[KeyValue] | UnsetType = UNSET


class Icon(msgspec.Struct, rename="camel"):
    src: Annotated[str, Meta(max_length=255, pattern=r"^https://[^\s]+\Z")]
    mime_type: (
        Literal["image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"] | UnsetType
    ) = UNSET
    sizes: list[Annotated[str, Meta(pattern=r"^(\d+x\d+|any)\Z")]] | UnsetType = UNSET
    theme: Literal["light", "dark"] | UnsetType = UNSET


class Repository(msgspec.Struct):
    url: WebUrl
    source: Text
    id: str | UnsetType = UNSET
    subfolder: str | UnsetType = UNSET


class PublisherProvided(msgspec.Struct, rename="camel"):
    tool: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    build_info: dict[str, Any] | UnsetType = UNSET
    github: UnsetType = UNSET


class ServerMeta(msgspec.Struct):
    publisher: PublisherProvided | UnsetType = msgspec.field(
        name="io.modelcontextprotocol.registry/publisher-provided", default=UNSET
    )


class Server(msgspec.Struct, rename="camel", kw_only=True):
    name: Annotated[
        str, Meta(min_length=3, max_length=200, pattern=r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+\Z")
    ]
    description: Annotated[str, Meta(min_length=1, max_length=100)]
    # `latest` is a word of the API: as a version it could not be asked for.
    version: Annotated[
        str, Meta(min_length=1, max_length=255, pattern=r"^(?!latest\Z)[^\x00-\x1f\x7f]+\Z")
    ]
    schema: str = msgspec.field(name="$schema")
    title: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    website_url: WebUrl | UnsetType = UNSET
    repository: Repository | UnsetType = UNSET
    packages: list[Package] | UnsetType = UNSET
    remotes: list[StreamableHttp | Sse] | UnsetType = UNSET
    icons: list[Icon] | UnsetType = UNSET
    meta: ServerMeta | UnsetType = msgspec.field(name="_meta", default=UNSET)


_server = msgspec.json.Decoder(Server)


def validation_error(server: bytes) -> str | None:
    """Why a strict client could not decode a server.json; None if it can."""
    try:
        _server.decode(server)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return str(error)[:300]
    return None


def part_error(value: object, kind: Any) -> str | None:  # a type, or a union of types
    """The same for a decoded part (a package, a remote, an icon, a repository)."""
    try:
        msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        return str(error)[:300]
    return None
