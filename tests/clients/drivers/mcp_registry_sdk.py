"""mcp-registry-sdk: every page, one search, lookups; what it cannot decode is an error."""

import asyncio
import json
import sys

from mcpreg import NotFoundError, RegistryClient, RegistrySettings


async def main(base: str, text: str, names: list[str]) -> None:
    lookups: dict[str, str | None] = {}
    async with RegistryClient(RegistrySettings(base_url=base)) as client:
        listed = [entry async for entry in client.iter_servers()]
        matches = [entry async for entry in client.iter_servers(search=text)]
        for name in names:
            try:
                lookups[name] = (await client.get_version(name)).server.version
                await client.list_versions(name)
            except NotFoundError:
                lookups[name] = None
    print(
        json.dumps(
            {
                "listed": [(entry.server.name, entry.server.version) for entry in listed],
                "found": [(entry.server.name, entry.server.version) for entry in matches],
                "lookups": lookups,
            }
        )
    )


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
