"""How often packages are fetched, as far as somebody counts: npm's service, pypistats, Docker Hub.

Each is an origin of its own, off until the operator names it and slow by its own rules. One request
per package; what it says decides nothing about the package.
"""

from urllib.parse import quote

from connectors.http.bodies import MIB
from connectors.http.client import HttpClient
from connectors.http.pacing import RateLimits
from connectors.origins import Origin
from connectors.registries.clients import SEEN, Connector, Probe, status_outcome
from connectors.registries.lookup import Document, PackageRequest, PackageResponse


def _counter(
    kind: str, url: str, limits: RateLimits, path: str, probed: str
) -> tuple[str, Connector]:
    """The connector of a service that answers `path`; without a URL it has no default."""

    def origin(rest: str) -> Origin | None:
        return Origin(kind, url, limits=limits) if url and not rest else None

    def ask(http: HttpClient, origin: Origin, package: str) -> PackageResponse:
        target = PackageRequest(kind, package, ())
        place = path.format(quote(package, safe="@" if kind == "npm-downloads" else "@/"))
        answer = http.get(f"{origin.url}/{place}", expect=SEEN, cap=MIB)
        documents = (Document("downloads", answer.body),) if answer.status == 200 else ()
        return PackageResponse(status_outcome(answer.status, target), origin.url, documents)

    def fetch(http: HttpClient, origin: Origin, target: PackageRequest) -> PackageResponse:
        return ask(http, origin, target.package)

    def probe(http: HttpClient, origin: Origin) -> Probe:
        return Probe(f"answers {ask(http, origin, probed).outcome} for {probed}")

    return kind, Connector(fetch, origin, probe)


COUNTERS: dict[str, Connector] = dict(
    (
        _counter(
            "npm-downloads",
            "",
            RateLimits(rate=0.33, slots=1),
            "downloads/point/last-week/{}",
            "express",
        ),
        _counter(
            "pypistats",
            "https://pypistats.org",
            RateLimits(rate=0.4, slots=1),
            "api/packages/{}/recent",
            "mcp",
        ),
        _counter(
            "docker-hub",
            "https://hub.docker.com",
            RateLimits(rate=1, slots=1),
            "v2/repositories/{}/",
            "library/hello-world",
        ),
    )
)
"""By origin: last week's downloads of npm and PyPI, all pulls of Docker Hub."""
