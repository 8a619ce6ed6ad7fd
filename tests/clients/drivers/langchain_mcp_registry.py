"""langchain-mcp-registry takes a cursor but returns none: a hook reads it from the raw answers."""

import asyncio
import json
import sys
import tempfile
from typing import Any

from langchain_mcp_registry import MCPRegistryClient, ServerNotFoundError


async def main(base: str, text: str, names: list[str]) -> None:
    cursors: list[str | None] = []

    async def listen(response: Any) -> None:  # an httpx response
        await response.aread()
        if response.is_success:
            cursors.append(response.json().get("metadata", {}).get("nextCursor"))

    lookups: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as cache:
        async with MCPRegistryClient(f"{base}/v0.1/servers", cache_dir=cache) as client:
            client.client.event_hooks["response"].append(listen)

            async def walk(query: str | None) -> list[tuple[str, str]]:
                met, cursor = [], None
                while True:
                    page = await client.search_servers(query=query, cursor=cursor, limit=100)
                    met += [(server.name, server.version) for server in page]
                    cursor = cursors[-1]
                    if cursor is None:
                        return met

            listed, matches = await walk(None), await walk(text)
            for name in names:
                try:
                    lookups[name] = (await client.get_server_details(name)).version
                    await client.get_server_versions(name)
                except ServerNotFoundError:
                    lookups[name] = None
    print(json.dumps({"listed": listed, "found": matches, "lookups": lookups}))


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
