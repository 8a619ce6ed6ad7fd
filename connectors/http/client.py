"""The one HTTP client: paced, retried, bounded in time and bytes. All connectors use it.

The caller decides what an answer means. Only what all hosts share is decided here: which statuses
to retry, how long to wait, and how much to read.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httpx
import tenacity

from connectors.errors import (
    AddressRefused,
    BudgetSpent,
    ConnectorError,
    TransientError,
    UnexpectedStatus,
    Unreachable,
)
from connectors.http.answers import HttpResponse, is_ban, status_error
from connectors.http.bodies import MIB, read_beginning, read_body
from connectors.http.network import AddressPolicy, RefusedAddress, deadline
from connectors.http.pacing import Pacer
from connectors.http.routes import Route, base_of, is_loopback
from connectors.http.transport import HTTPCORE_ERRORS, Transport

log = logging.getLogger(__name__)

_MAX_HEADER = 4096


@dataclass(frozen=True)
class RequestPolicy:
    """Limits for one host: requests per second (0 = unlimited), tries, seconds, decoded bytes.

    `budget` limits the requests of one client, retries included.
    """

    rate: float = 1.0
    tries: int = 4
    retry_for: float = 600.0
    timeout: float = 75.0
    deadline: float = 180.0
    cap: int = 32 * MIB
    budget: int | None = None


@dataclass
class HttpClient:
    """GET, HEAD and POST with retries. Close it, or use it as a context manager.

    Raises the errors of `connectors.errors`. Redirects are never followed; one counts as an answer
    only if the caller expects its status. `pacer` decides when a request is sent; without one, the
    rate of `policy` decides. Connectors keep facts about the host in `host_cache` while the client
    lives.
    """

    addresses: AddressPolicy
    user_agent: str
    policy: RequestPolicy = field(default_factory=RequestPolicy)
    sleep: Callable[[float], None] = time.sleep
    route: Route = field(default_factory=Route)
    pacer: Pacer | None = None
    requests: int = 0
    host_cache: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pacer = self.pacer or Pacer(self.policy.rate, sleep=self.sleep)
        self._client = httpx.Client(
            # Proxies and certificates come from `route` only, never from the environment.
            transport=Transport(self.addresses, self.route),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(self.policy.timeout, connect=15.0),
            headers={"User-Agent": self.user_agent, "Accept-Encoding": "gzip"},
            # An empty allow-list stores no cookies at all.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        self._lock = threading.Lock()
        # The last document that was sent whole, and the headers that it was asked with.
        self._good: tuple[str, dict[str, str]] = "", {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def get(
        self,
        url: str,
        *,
        expect: frozenset[int] = frozenset({200}),
        headers: Mapping[str, str] | None = None,
        cap: int | None = None,
        method: str = "GET",
        content: bytes | None = None,
        affects_rate: bool = True,
        treat_403_html_as_ban: bool = True,
    ) -> HttpResponse:
        """Send until a status in `expect` arrives or the limits of `policy` are used up.

        Answers with `affects_rate=False`, and any 401, do not count as a good sign for the pacer.
        With `treat_403_html_as_ban`, a 403 with an HTML page is an error, even if 403 is expected.
        """
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._worth_another_try),
            stop=tenacity.stop_after_attempt(self.policy.tries)
            | tenacity.stop_before_delay(self.policy.retry_for),
            wait=_wait,
            sleep=self.sleep,
            reraise=True,
        ):
            with attempt, self._pacer.turn():
                try:
                    cap = cap or self.policy.cap
                    answer = self._once(
                        method,
                        url,
                        expect,
                        headers or {},
                        cap,
                        content=content,
                        treat_403_html_as_ban=treat_403_html_as_ban,
                    )
                except ConnectorError as error:
                    if isinstance(error, UnexpectedStatus) and error.ban:
                        error.ban = self._is_banned(url)
                    self._pacer.failed(error)
                    raise
                if affects_rate and answer.status != 401:
                    self._pacer.answered()
                    if answer.status == 200 and method == "GET":
                        self._good = url, dict(headers or {})
                return answer
        raise AssertionError("tenacity returns or raises")

    def _is_banned(self, url: str) -> bool:
        """Whether a refusal of `url` means all of its host: a document that the host sent before is
        refused now too. Without one, the host is asked more slowly.

        A mirror of the operator's is never taken for a ban: its package firewall refuses packages.
        """
        if not self._pacer.bans:
            return False
        good, headers = self._good
        if good == url or base_of(good) != base_of(url):
            self._pacer.slow_down()
            return False
        try:
            self._once(
                "GET", good, frozenset({200, 304}), headers, self.policy.cap,
                content=None, treat_403_html_as_ban=True,
            )  # fmt: skip
        except UnexpectedStatus as error:
            return error.ban
        except ConnectorError as error:
            self._pacer.failed(error)
        return False

    def _worth_another_try(self, error: BaseException) -> bool:
        return isinstance(error, TransientError) and self._pacer.may_retry()

    def _once(
        self,
        method: str,
        url: str,
        expect: frozenset[int],
        headers: Mapping[str, str],
        cap: int,
        *,
        content: bytes | None,
        treat_403_html_as_ban: bool,
    ) -> HttpResponse:
        _check_target(url)
        if self.addresses.loopback_only and self.route.proxy:
            # The proxy opens the connection, so the network backend cannot check this address.
            host = urlsplit(url).hostname or ""
            if not is_loopback(host):
                raise AddressRefused(
                    f"{url} was not asked: SUBREGISTRY_OFFLINE allows loopback addresses only",
                    url=url,
                )
        with self._lock:
            if self.policy.budget is not None and self.requests >= self.policy.budget:
                raise BudgetSpent(
                    f"{url} was not asked: the {self.requests} requests of this run are used up",
                    url=url,
                )
            # Counted under the lock, so that threads cannot exceed the budget together.
            self.requests += 1
        start = time.monotonic()
        request_headers = dict(headers)
        # setdefault: a token that the connector sends itself wins.
        if secret := self.route.authorization.get(base_of(url)):
            request_headers.setdefault("Authorization", secret)
        try:
            with (
                deadline(self.policy.deadline),
                self._client.stream(
                    method, url, headers=request_headers, content=content
                ) as response,
            ):
                expected = response.status_code in expect and not (
                    treat_403_html_as_ban and is_ban(response)
                )
                if expected:
                    body = read_body(response, cap, url, whole=method != "HEAD")
                else:
                    body = read_beginning(response, url)
        except RefusedAddress as error:
            raise AddressRefused(f"{url} was not asked: {error}", url=url) from error
        except (httpx.TransportError, *HTTPCORE_ERRORS) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"{url} did not answer ({reason}); check the address and the network", url=url
            ) from error
        if not expected:
            raise status_error(response, url, body)
        response_headers = {
            name.lower(): value[:_MAX_HEADER] for name, value in response.headers.items()
        }
        return HttpResponse(
            url, response.status_code, response_headers, body, time.monotonic() - start
        )


def _check_target(url: str) -> None:
    """Refuse a URL that httpx would change before sending, for example one with `..`."""
    try:
        target = httpx.URL(url).raw_path.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConnectorError(f"{url!r} is not a URL: {error}", url=url) from error
    parts = urlsplit(url)
    if target != (parts.path or "/") + (f"?{parts.query}" if parts.query else ""):
        raise ConnectorError(f"{url!r} would be sent as {target!r}; it was not asked", url=url)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    requested = error.retry_after if isinstance(error, TransientError) else None
    # Exponential backoff with jitter, so that clients do not retry in step.
    backoff = min(2.0**state.attempt_number, 60.0) + random.uniform(0, 1)
    wait = max(requested or 0.0, backoff)
    log.warning("retry attempt=%s wait=%.1fs error=%s", state.attempt_number, wait, error)
    return wait
