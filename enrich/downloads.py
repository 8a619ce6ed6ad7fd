"""What the services that count downloads say: to one number."""

from connectors.lazy_json import mapping, members, small
from connectors.registries.lookup import PackageResponse

COUNTED = {"npm": "npm-downloads", "pypi": "pypistats", "oci:docker.io": "docker-hub"}
"""Which service counts the packages of an origin."""
_MOST = 10**15


def read_count(source: str, fetched: PackageResponse) -> int | None:
    """Downloads of a week (npm, PyPI) or all pulls (Docker Hub); None where none are told."""
    document = members(next((d.body for d in fetched.documents), b""))
    if source == "npm-downloads":
        found = small(document.get("downloads"))
    elif source == "pypistats":
        found = mapping(small(document.get("data"))).get("last_week")
    else:
        found = small(document.get("pull_count"))
    is_count = isinstance(found, int) and not isinstance(found, bool)
    return found if is_count and 0 <= found <= _MOST else None
