"""The errors of the outside world, and whether trying again can help.

ConnectorError
├── TransientError        worth another try now or at the next run
│   ├── Unreachable       no connection, reset, deadline
│   ├── RateLimited       429, with the wait that was asked for
│   └── ServerTrouble     5xx
├── HostClosed            not asked: a host that is let alone for now
└── TerminalError         the same request will fail the same way
    ├── AddressRefused    an address that this process may not dial
    ├── BodyRefused       too large, a bomb, a broken encoding
    ├── QuotaSpent        a host gives no more of something for now
    ├── BudgetSpent       this run has asked as often as it may
    ├── UnexpectedStatus  a status that this request has no use for
    └── MalformedPage     a registry answer without the shape of the API
"""

GARBAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What reading a document of somebody else's may raise: the document is at fault, not the run."""


class ConnectorError(Exception):
    """Something outside did not answer as needed; `url` says what was asked."""

    def __init__(self, message: str, *, url: str = "") -> None:
        super().__init__(message)
        self.url = url


class TransientError(ConnectorError):
    retry_after: float | None = None


class TerminalError(ConnectorError):
    pass


class HostClosed(ConnectorError):
    """Nothing was sent: the host has a pause, or the day's requests to it are used up."""


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
    """A host's quota for some requests is nearly used up; it is not touched further."""


class BudgetSpent(TerminalError):
    pass


class UnexpectedStatus(TerminalError):
    """`ban` says that it looks like a refusal of this client, not of one document."""

    def __init__(self, message: str, *, url: str, status: int, ban: bool = False) -> None:
        super().__init__(message, url=url)
        self.status = status
        self.ban = ban


class MalformedPage(TerminalError):
    pass
