"""What commands open first: the deployment that the environment describes, and its feeds."""

import logging
from typing import TYPE_CHECKING

from pipelines.errors import UsageError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.line import Line
    from serve.policy.policy import Policy


log = logging.getLogger(__name__)


def open_deployment() -> "Line":
    from pipelines.line import Line

    return Line(load_settings())


def find_policies(deployment: "Line", name: str | None) -> "tuple[Policy, ...]":
    policies = deployment.policies(name)
    # The broken document of a named feed has raised its error in `policies` already.
    broken = deployment.documents().broken if name is None else {}
    if broken and not policies:
        raise next(iter(broken.values()))
    for error in broken.values():
        log.error("%s; the other feeds go on", error)
    if not policies:
        known = ", ".join(policy.name for policy in deployment.policies())
        raise UsageError(f"there is no feed {name}; the feeds are {known}")
    return policies
