"""Play the demonstration: days of history in seconds, the whole line, a check of the feed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from connectors.http.client import HttpClient, RequestPolicy
from connectors.http.network import AddressPolicy
from connectors.upstreams.contract import Entry, read_entry
from connectors.upstreams.registry import Registry
from pipelines.demo.clock import FakeClock
from pipelines.demo.loopback import LoopbackServer
from pipelines.demo.registry import ScriptedRegistry
from pipelines.demo.sample import DAYS, START, Sample
from pipelines.line import Line
from pipelines.refresh import refresh
from pipelines.settings import Settings, load_settings

_EVERY = timedelta(hours=12)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Played:
    """A deployment whose history was played, and its upstream."""

    deployment: Line
    upstream: ScriptedRegistry


@contextmanager
def running_demo(
    home: Path, say: Say, report_step: Callable[[str, object], None]
) -> Iterator[Played]:
    """Play all days into `home`; the stand-ins serve until the block ends."""
    sample, clock = Sample(), FakeClock(START)
    with (
        LoopbackServer(sample.registry.answer, clock=clock) as upstream,
        LoopbackServer(sample.packages.answer, clock=clock) as packages,
    ):
        settings = _settings(home, upstream.url, packages.url)
        deployment = Line(settings, clock=clock)
        at, end, round_number = START, START + timedelta(days=DAYS), 0
        while at <= end:
            clock.move_to(at)
            say(f"— {at:%A %H:%M}: {'reconcile' if _full(round_number) else 'refresh'}")
            for event in sample.play_until(at):
                say(f"  upstream: {event}")
            refresh(deployment, full=_full(round_number), profile=True, report_step=report_step)
            at, round_number = at + _EVERY, round_number + 1
        yield Played(deployment, sample.registry)


def _full(round_number: int) -> bool:
    return round_number % 2 == 0


def _settings(home: Path, upstream: str, packages: str) -> Settings:
    hosts = ("docker.io", "ghcr.io", "quay.io", "mcr.microsoft.com")
    return load_settings(
        home=home,
        feeds=None,
        upstream_url=upstream,
        upstream_rate=0,
        offline=True,
        origins={"npm": {"url": f"{packages}/npm"}, "pypi": {"url": f"{packages}/pypi"}}
        | {f"oci:{host}": {"url": f"{packages}/oci/{host}"} for host in hosts},
        package_rate=0,
    )


def check_feed(url: str, upstream: ScriptedRegistry) -> tuple[int, list[str]]:
    """Walk a served mirror and compare it with upstream; return the entries met and complaints."""
    served: dict[tuple[str, str], Entry] = {}
    complaints = []
    with HttpClient(
        AddressPolicy(loopback_only=True), "subregistry-demo", RequestPolicy(rate=0)
    ) as http:
        for page in Registry(http, url, now=FakeClock(START)).walk():
            for raw in page.entries:
                entry = read_entry(raw)
                if not isinstance(entry, Entry):
                    complaints.append(f"an entry cannot be read: {entry.reason}")
                elif (entry.name, entry.version) in served:
                    complaints.append(f"{entry.name} {entry.version} came twice")
                else:
                    served[entry.name, entry.version] = entry
    for key, row in upstream.rows().items():
        copy = served.get(key)
        if copy is None:
            complaints.append(f"{' '.join(key)} is not in the feed")
        elif (copy.status, copy.is_latest) != (row.status, row.is_latest):
            complaints.append(f"{' '.join(key)} is {copy.status}, upstream {row.status}")
    return len(served), complaints
