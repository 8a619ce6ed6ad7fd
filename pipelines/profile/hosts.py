"""What runs learn about hosts, as rows of the warehouse."""

from collections.abc import Mapping
from dataclasses import asdict

from connectors.http.pacing import HostState
from enrich.profiles import text
from warehouse.database.session import Row


def host_rows(states: Mapping[str, HostState]) -> list[Row]:
    """Rows of the table `hosts`, without e-mail addresses."""
    return [
        {"origin": origin, **asdict(state), "reason": text(state.reason) or ""}
        for origin, state in states.items()
    ]
