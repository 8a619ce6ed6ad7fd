"""The errors of the outside world, and whether trying again can help.

ConnectorError
├── TransientError        worth another try now or at the next run
│   ├── Unreachable       no connection, reset, deadline
│   ├── RateLimited       429, with the wait that was asked for
│   └── ServerTrouble     5xx
├── HostClosed            nothing was sent: the host is paused for now
└── TerminalError         the same request will fail the same way
    ├── AddressRefused    this process may not dial the address
    ├── BodyRefused       too large, a bomb, a broken encoding
    ├── QuotaSpent        the host's own quota is nearly used up
    ├── BudgetSpent       this run has used up its number of requests
    ├── UnexpectedStatus  a status that this request does not expect
    └── MalformedPage     a registry answer that does not have the shape of the API
"""

GARBAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""Exceptions that reading a foreign document may raise: the document is at fault, not the run."""


class ConnectorError(Exception):
    """Something outside did not answer as needed; `url` is the address that was asked."""

    def __init__(self, message: str, *, url: str = "") -> None:
        super().__init__(message)
        self.url = url


class TransientError(ConnectorError):
    retry_after: float | None = None


class TerminalError(ConnectorError):
    pass


class HostClosed(ConnectorError):
    """Nothing was sent: the host is paused, or its requests of the day are used up."""


class Unreachable(TransientError):
    pass


class RateLimited(TransientError):
    def __init__(self, message: str, *, url: str, retry_after: float | None) -> None:
        super().__init__(message, url=url)
        self.retry_after = retry_after


class ServerTrouble(TransientError):
    def __init__(self, message: str, *, url: str, status: int, retry_after: float | None) -> None:
        super().__init__(message, url=url)
        self.status = status
        self.retry_after = retry_after


class AddressRefused(TerminalError):
    pass


class BodyRefused(TerminalError):
    pass


class QuotaSpent(TerminalError):
    """A host's quota for some requests is nearly used up; we send no more of them."""


class BudgetSpent(TerminalError):
    pass


class UnexpectedStatus(TerminalError):
    """`ban`: the host seems to refuse this client, not one document."""

    def __init__(self, message: str, *, url: str, status: int, ban: bool = False) -> None:
        super().__init__(message, url=url)
        self.status = status
        self.ban = ban


class MalformedPage(TerminalError):
    pass
