"""What runs learn of hosts, as rows of the warehouse and back."""

from collections.abc import Mapping
from dataclasses import astuple, replace

from connectors.http.pacing import HostState
from enrich.profiles import text
from warehouse.database.arrow import Tuple


def host_rows(states: Mapping[str, HostState]) -> list[Tuple]:
    """Rows of `warehouse.packages.hosts.HOST`, without addresses of people."""
    return [
        (origin, *astuple(replace(state, reason=text(state.reason) or "")))
        for origin, state in states.items()
    ]
