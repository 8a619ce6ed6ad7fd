"""What commands open before they do anything: the deployment of the environment, and its feeds."""

from typing import TYPE_CHECKING

from pipelines.errors import UsageError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.deployment import Deployment
    from serve.policy import Policy


def open_deployment() -> "Deployment":
    from pipelines.deployment import Deployment

    return Deployment(load_settings())


def find_policies(deployment: "Deployment", name: str | None) -> "tuple[Policy, ...]":
    found = deployment.policies(name)
    if not found:
        known = ", ".join(policy.name for policy in deployment.policies())
        raise UsageError(f"there is no feed {name}; the feeds are {known}")
    return found
