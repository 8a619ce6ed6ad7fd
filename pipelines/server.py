"""Run the server process: a bound socket, uvicorn, one worker or several."""

import resource
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from uvicorn.supervisors import Multiprocess

from pipelines.errors import StepError
from pipelines.settings import Settings, counts_are_shared, load_settings, share_counts
from serve.server.accesslog import open_log
from serve.server.app import App, build_app
from serve.server.feed_identities import served_feeds
from serve.server.flood import bound_logs
from serve.server.metrics import Metrics
from serve.server.protocol import BoundedProtocol, PlainProtocol
from warehouse.rules.language import Compiler

_MOST_CLIENTS = 4096


def compiler() -> Compiler:
    """The compiler of rules; a server whose feed documents did not change never loads it."""
    from warehouse.expressions.compile import compile_predicate  # late: it loads DuckDB and sqlglot

    return compile_predicate


def app() -> App:
    """The application of each worker, with the settings of the environment."""
    return _app(load_settings())


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address; return the socket. Raises StepError if it is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only on sockets that name their protocol.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(2048)
    except (OSError, OverflowError) as error:
        sock.close()
        raise StepError(
            f"cannot listen on {host}:{port} ({error}); choose another --port"
        ) from error
    sock.set_inheritable(True)  # worker processes take it over
    return sock


def run(settings: Settings, sock: socket.socket, *, workers: int) -> int:
    """Serve until a signal; several workers share the socket and the page cache."""
    proxies, fast = settings.trusted_proxies, settings.fast
    # Each client costs a file descriptor, and the soft limit is often 1024.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if workers == 1:
        uvicorn.Server(_config(_app(settings), proxies=proxies, fast=fast)).run(sockets=[sock])
        return 0
    # Workers are new processes: they import the application by its name.
    factory = "pipelines.server:app"
    config = _config(factory, factory=True, workers=workers, proxies=proxies, fast=fast)
    counts = tempfile.mkdtemp(prefix="subregistry-metrics-")
    share_counts(counts)  # before the workers start, because they inherit it
    try:
        Multiprocess(config, sockets=[sock]).run()
    finally:
        shutil.rmtree(counts, ignore_errors=True)
    return 0


@contextmanager
def serving(settings: Settings, sock: socket.socket) -> Iterator[None]:
    """Serve from a thread while the block runs."""
    with serving_app(_app(settings), sock):
        yield


@contextmanager
def serving_app(application: App, sock: socket.socket) -> Iterator[None]:
    """Serve any application from a thread while the block runs."""
    server = uvicorn.Server(_config(application))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        yield  # the socket listens already, so early requests wait for the thread
    finally:
        server.should_exit = True
        thread.join()


def _app(settings: Settings) -> App:
    bound_logs()
    if settings.access_log:
        open_log(settings.access_log)
    return build_app(
        settings.feed_root,
        served_feeds(settings.feed_root, settings.feeds, compiler),
        skew=settings.skew,
        per_minute=settings.client_rate,
        site=settings.public_url,
        metrics=Metrics(shared=counts_are_shared()) if settings.metrics else None,
        objective=settings.objective,
    )


def _config(
    application: App | str,
    *,
    factory: bool = False,
    workers: int = 1,
    proxies: str = "",
    fast: bool = True,
) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        factory=factory,
        workers=workers,
        http=BoundedProtocol if fast else PlainProtocol,
        loop="uvloop" if fast else "asyncio",
        timeout_keep_alive=75,
        limit_concurrency=_MOST_CLIENTS,
        forwarded_allow_ips=proxies,
        log_level="warning",
        access_log=False,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
