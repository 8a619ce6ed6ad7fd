"""Reading the answers of download counters: one number per package."""

from connectors.lazy_json import mapping, members, small
from connectors.registries.lookup import PackageResponse

COUNTED = {"npm": "npm-downloads", "pypi": "pypistats", "oci:docker.io": "docker-hub"}
"""Which service counts the packages of an origin."""
_MOST = 10**15


def read_count(source: str, fetched: PackageResponse) -> int | None:
    """Downloads of one week (npm, PyPI) or all pulls (Docker Hub); None without a count."""
    document = members(next((answer.body for answer in fetched.documents), b""))
    if source == "npm-downloads":
        count = small(document.get("downloads"))
    elif source == "pypistats":
        count = mapping(small(document.get("data"))).get("last_week")
    else:
        count = small(document.get("pull_count"))
    is_count = isinstance(count, int) and not isinstance(count, bool)
    return count if is_count and 0 <= count <= _MOST else None
