"""httpx over httpcore with our network backend: CA bundles, proxies, proxy credentials."""

import ssl
from collections.abc import Iterator
from functools import cache
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from connectors.errors import ConnectorError
from connectors.http.network import AddressPolicy, GuardedBackend
from connectors.http.routes import Route

# httpx translates these in its own transport only; the client catches them itself.
HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


# Loading certificates is slow, so all clients of one bundle share a context.
@cache
def _tls(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise ConnectorError(f"the CA bundle {ca_bundle} cannot be read: {error}") from error


class Transport(httpx.BaseTransport):
    """httpx over an httpcore pool that uses our network backend."""

    def __init__(self, policy: AddressPolicy, route: Route) -> None:
        tls, backend = _tls(route.ca_bundle), GuardedBackend(policy)
        self._pool: httpcore.ConnectionPool
        if route.proxy:
            parts = urlsplit(route.proxy)
            secret = (
                (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
            )
            self._pool = httpcore.HTTPProxy(
                # httpcore takes the credentials apart from the URL.
                f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
                proxy_auth=secret,
                ssl_context=tls,
                max_connections=16,
                keepalive_expiry=30.0,
                network_backend=backend,
            )
        else:
            self._pool = httpcore.ConnectionPool(
                ssl_context=tls,
                max_connections=16,
                max_keepalive_connections=16,
                keepalive_expiry=30.0,
                network_backend=backend,
            )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_PoolStream(response),
            extensions={"network_stream": response.extensions.get("network_stream")},
        )

    def close(self) -> None:
        self._pool.close()


class _PoolStream(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        yield from self._response.iter_stream()

    def close(self) -> None:
        self._response.close()
