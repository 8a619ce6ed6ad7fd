"""Names, packages and versions of the sample servers; a seeded generator picks from them."""

import random
from typing import Any

SCHEMA = "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"

_OWNER_NAMES = """
alderbrook amberline birchworks bluefennel brightquay cedarpost cinderlake cobaltpine coppermill
dawnharbor driftstone elmgate fernhollow flintridge foxglove gingerbay graniteway hazelport
indigofield juniperlab kestrelhq larkspur lindenweg maplecove mossrock nettleford oakmere pebblesoft
quillworks rowanbyte saffronio slatepoint thistledown umberly velvetfox willowtech yarrowdev
zephyrnet
"""
OWNERS = _OWNER_NAMES.split()
TOPICS = {
    "weather": "Forecasts and current conditions for any place",
    "calendar": "Read and plan appointments in a calendar",
    "invoices": "Create invoices and follow their payment",
    "postgres": "Query PostgreSQL databases, read only",
    "sqlite": "Explore SQLite files with safe queries",
    "notes": "Search and write notes in a folder",
    "tickets": "List, open and close support tickets",
    "maps": "Geocoding, routes and travel times",
    "mail": "Search a mailbox and draft replies",
    "files": "Read files below a folder of your choice",
    "metrics": "Ask a time series database for metrics",
    "logs": "Search structured logs by time and field",
    "translate": "Translate text between forty languages",
    "charts": "Draw charts from tables",
    "pdf": "Extract text and tables from PDF files",
    "recipes": "Find recipes by what is in the kitchen",
    "trains": "Timetables and delays of trains",
    "stocks": "Prices and company facts from an exchange",
    "kubernetes": "Look at workloads of a cluster",
    "git": "History, blame and diffs of a repository",
    "search": "Web search with short answers",
    "crm": "Contacts and deals of a sales team",
    "photos": "Find pictures by place, time and subject",
    "music": "Search a music library and make playlists",
    "budget": "Household budget by category and month",
    "papers": "Find and summarise scientific papers",
    "dns": "Look up DNS records and explain them",
    "iot": "Read sensors and switch devices at home",
    "tasks": "Keep a list of tasks in order",
    "wiki": "Search and read an internal wiki",
}
# The repeats are weights: how often a kind occurs among the servers.
KINDS = ["npm"] * 9 + ["pypi"] * 6 + ["remote"] * 6 + ["oci"] * 3 + ["both"] * 2
KINDS += ["mcpb", "nuget", "cargo", "none"]
LICENSES = ["MIT", "MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "GPL-3.0-only", "UNLICENSED"]

Json = dict[str, Any]  # a server.json


def packages(name: str, version: str, kind: str) -> list[Json]:
    transport = {"transport": {"type": "stdio"}}
    identifier = reference(name, kind)
    match kind:
        case "npm" | "both":
            package = {"registryType": "npm", "identifier": identifier, "version": version}
        case "pypi":
            package = {"registryType": "pypi", "identifier": identifier, "version": version}
        case "oci":
            package = {"registryType": "oci", "identifier": f"ghcr.io/{identifier}:{version}"}
        case "mcpb":
            url = f"https://github.com/{identifier}/releases/download/v{version}/server.mcpb"
            package = {"registryType": "mcpb", "identifier": url, "fileSha256": "0" * 64}
        case "nuget" | "cargo":
            package = {"registryType": kind, "identifier": identifier, "version": version}
        case _:
            return []
    return [package | transport]


def reference(name: str, kind: str) -> str:
    owner = name.partition("/")[0].rpartition(".")[2]
    bare = name.partition("/")[2]
    return {
        "npm": package_name(name),
        "both": package_name(name),
        "oci": f"{owner}/{bare}",
        "mcpb": f"{owner}/{bare}",
        "nuget": f"{owner.capitalize()}.{bare.capitalize()}",
    }.get(kind, bare)


def package_name(name: str) -> str:
    owner = name.partition("/")[0].rpartition(".")[2]
    return f"@{owner}/{name.partition('/')[2]}"


def is_ghost(name: str) -> bool:
    """Every seventeenth server claims a package that no registry has."""
    return int(name.rpartition("-")[2]) % 17 == 4


def versions(source: random.Random) -> list[str]:
    count = source.choice([1, 1, 1, 2, 2, 3, 4, 6])
    numbers = [f"{major}.{minor}.0" for major in (0, 1) for minor in range(1, 5)][:count]
    # Servers with four versions end in a prerelease.
    return [*numbers[:-1], f"{numbers[-1]}-beta.1"] if count == 4 else numbers
