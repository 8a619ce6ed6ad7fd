"""Changes in the formats of feed readers: JSON Feed 1.1 and RSS 2.0."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote
from xml.etree import ElementTree

from serve.api.models import JsonFeed, JsonFeedItem


@dataclass(frozen=True)
class Item:
    """One change of one entry, as seen at `site`."""

    site: str
    name: str
    version: str
    kind: str
    sequence: int
    at: datetime
    description: str

    @property
    def id(self) -> str:
        """The ID of the change; it is the same wherever the feed is read."""
        return f"urn:mcp:{quote(self.name, safe='')}:{quote(self.version, safe='')}:{self.sequence}"

    @property
    def url(self) -> str:
        name, version = quote(self.name, safe=""), quote(self.version, safe="")
        return f"{self.site}/v0.1/servers/{name}/versions/{version}?include_deleted=true"

    @property
    def title(self) -> str:
        return f"{self.name} {self.version} {self.kind}"


def json_feed(title: str, site: str, items: Sequence[Item]) -> JsonFeed:
    return JsonFeed(
        "https://jsonfeed.org/version/1.1",
        title,
        f"{site}/v0.1/servers",
        f"{site}/changes/feed.json",
        [
            JsonFeedItem(item.id, item.url, item.title, item.description, item.at, [item.kind])
            for item in items
        ],
    )


def rss(title: str, site: str, items: Sequence[Item]) -> bytes:
    root = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(root, "channel")
    _texts(channel, title=title, link=f"{site}/v0.1/servers", description=f"Changes of {title}")
    for item in items:
        element = ElementTree.SubElement(channel, "item")
        _texts(element, title=item.title, link=item.url, description=_xml(item.description))
        guid = ElementTree.SubElement(element, "guid", isPermaLink="false")
        guid.text = item.id
        _texts(element, category=item.kind, pubDate=format_datetime(item.at, usegmt=True))
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _texts(parent: ElementTree.Element, **texts: str) -> None:
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = _xml(text)


def _xml(text: str) -> str:
    """Text without the characters that XML 1.0 cannot hold."""
    return "".join(
        char for char in text if char in "\t\n\r" or (char >= " " and char not in "\ufffe\uffff")
    )
