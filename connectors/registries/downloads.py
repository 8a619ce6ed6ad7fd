"""Download counts of packages, from services that count: npm's own, pypistats, Docker Hub.

Each service is an origin of its own, off until the operator names it, and slow by its own rules.
One request per package; its answer decides nothing about the package.
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
    """The id and connector of one counting service; without `url` it has no default origin.

    `path` is the URL path of a package's count, `probed` a package that exists.
    """

    def origin(rest: str) -> Origin | None:
        return Origin(kind, url, limits=limits) if url and not rest else None

    def ask(http: HttpClient, origin: Origin, package: str) -> PackageResponse:
        target = PackageRequest(kind, package, ())
        resource = path.format(quote(package, safe="@" if kind == "npm-downloads" else "@/"))
        answer = http.get(f"{origin.url}/{resource}", expect=SEEN, cap=MIB)
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
"""By origin: last week's downloads for npm and PyPI, all pulls for Docker Hub."""
