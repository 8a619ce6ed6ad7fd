"""mcp-registry-cli: its address is a constant; it requests names with a plain slash below /v0."""

import json
import sys
from typing import Any

import requests
from mcp_registry_cli.api import MCPRegistryAPI

base, text, *names = sys.argv[1:]
MCPRegistryAPI.BASE_URL = base
api = MCPRegistryAPI()
listed: list[tuple[str, str]] = []
cursor = None
while True:
    page = api.list_servers(cursor=cursor)
    listed += [(server.name, server.version) for server in page["servers"]]
    cursor = page["next_cursor"]
    if not cursor:
        break
matches: list[Any] = api.search_servers(text, limit=len(listed) + 1)["servers"]
lookups: dict[str, str | None] = {}
for name in names:
    try:
        lookups[name] = api.get_server_details(name).version
        api.get_server_versions(name)
    except requests.HTTPError as error:
        if error.response is None or error.response.status_code != 404:
            raise
        lookups[name] = None
keys = [(server.name, server.version) for server in matches]
print(json.dumps({"listed": listed, "found": keys, "lookups": lookups}))
