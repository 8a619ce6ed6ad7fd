"""One way to ask: paced, retried, bounded in time and bytes. All connectors send through here.

What an answer means is the caller's business; only what every host shares is decided here: which
statuses are worth another try, how long to wait, and how much to read.
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
    """How one host is asked: requests per second (0 = unlimited), tries, seconds, decoded bytes.

    `budget` bounds the requests of one client, tries included.
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
    """GET and HEAD with retries. Close it, or use it as a context manager.

    Raises the errors of `connectors.errors`; redirects are never followed and never an answer.
    `pacer` decides when something is sent; without one, the rate of `policy` does. `host_cache` are
    what a connector remembers of the host for as long as the client lives.
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
            transport=Transport(self.addresses, self.route),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(self.policy.timeout, connect=15.0),
            headers={"User-Agent": self.user_agent, "Accept-Encoding": "gzip"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
        self._lock = threading.Lock()

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
        """Ask until a status in `expect` came or the bounds of `policy` are used up.

        An answer that does not count, and any 401, says nothing of how the host bears us. With
        `treat_403_html_as_ban` a 403 that is a page is an error, expected or not.
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
                    self._pacer.failed(error)
                    raise
                if affects_rate and answer.status != 401:
                    self._pacer.answered()
                return answer
        raise AssertionError("tenacity returns or raises")

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
            # A proxy dials for us: what it is asked for must be checked here.
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
            self.requests += 1
        start = time.monotonic()
        sent = dict(headers)
        if secret := self.route.authorization.get(base_of(url)):
            sent.setdefault("Authorization", secret)
        try:
            with (
                deadline(self.policy.deadline),
                self._client.stream(method, url, headers=sent, content=content) as response,
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
        kept = {k.lower(): v[:_MAX_HEADER] for k, v in response.headers.items()}
        return HttpResponse(url, response.status_code, kept, body, time.monotonic() - start)


def _check_target(url: str) -> None:
    """Refuse a URL that httpx would send as another path, as it does with `..`."""
    try:
        sent = httpx.URL(url).raw_path.decode("ascii")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ConnectorError(f"{url!r} is not a URL: {error}", url=url) from error
    parts = urlsplit(url)
    if sent != (parts.path or "/") + (f"?{parts.query}" if parts.query else ""):
        raise ConnectorError(f"{url!r} would be sent as {sent!r}; it was not asked", url=url)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, TransientError) else None
    backoff = min(2.0**state.attempt_number, 60.0) + random.uniform(0, 1)
    wait = max(asked or 0.0, backoff)
    log.warning("retry attempt=%s wait=%.1fs error=%s", state.attempt_number, wait, error)
    return wait
