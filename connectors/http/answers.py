"""A response, and what an error status means: transient or terminal, and when to retry."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from connectors.errors import ConnectorError, RateLimited, ServerTrouble, UnexpectedStatus

# A host cannot put us off for longer than this, whatever its Retry-After says.
_MAX_WAIT = 6 * 3600.0


@dataclass(frozen=True)
class HttpResponse:
    """A response with its whole decoded body; `duration` is seconds until its last byte."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    duration: float


def status_error(response: httpx.Response, url: str, body: bytes) -> ConnectorError:
    status = response.status_code
    excerpt = " ".join(body.decode("utf-8", "replace").split())[:200]
    wait = retry_after(response.headers)
    if status == 429:
        return RateLimited(f"{url} answered 429: {excerpt}", url=url, retry_after=wait)
    if status >= 500:
        return ServerTrouble(
            f"{url} answered {status}: {excerpt}", url=url, status=status, retry_after=wait
        )
    ban = is_ban(response)
    return UnexpectedStatus(f"{url} answered {status}: {excerpt}", url=url, status=status, ban=ban)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or HTTP date) or `X-Retry-After` (epoch seconds).

    At most six hours; None without such a header.
    """
    value = headers.get("retry-after", "").strip()
    # isdigit() alone accepts other scripts' digits and superscripts.
    if value.isascii() and value.isdigit():
        return min(float(value), _MAX_WAIT)
    try:
        if value:
            return min(max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0), _MAX_WAIT)
    except (ValueError, TypeError):
        return None
    epoch = headers.get("x-retry-after", "").strip()
    return (
        min(max(float(epoch) - time.time(), 0.0), _MAX_WAIT)
        if epoch.isascii() and epoch.isdigit()
        else None
    )


def is_ban(response: httpx.Response) -> bool:
    """Whether a proxy in front of the host refuses this client: a 403 with an HTML page."""
    kind = response.headers.get("content-type", "").lower()
    return response.status_code == 403 and "text/html" in kind
