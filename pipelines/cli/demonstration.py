"""The command `demo`: run the whole line on sample data, then serve the feed."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipelines.cli.console import print_report


def demo(arguments: argparse.Namespace) -> int:
    from pipelines.demo.play import check_feed, running_demo
    from pipelines.server import listen, run, serving

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    socket = listen("127.0.0.1", 0 if arguments.once else arguments.port)
    with (
        tempfile.TemporaryDirectory(prefix="subregistry-demo-") as folder,
        running_demo(Path(folder), say, print_report) as result,
    ):
        settings = result.deployment.settings
        url = f"http://127.0.0.1:{socket.getsockname()[1]}"
        if arguments.once:
            with serving(settings, socket):
                return _checked(say, url, *check_feed(f"{url}/feeds/mirror", result.upstream))
        say(f"\nThe feed is served at {url}/v0.1/servers")
        say(f"  the mirror of upstream:   {url}/feeds/mirror/v0.1/servers?version=latest")
        say(f"  one search:               {url}/v0.1/servers?search=postgres")
        say(f"  what the API promises:    {url}/openapi.yaml")
        say("Press Ctrl-C to end.")
        return run(settings, socket, workers=1)


def _checked(say: Callable[[str], None], url: str, met: int, complaints: list[str]) -> int:
    # The odd entries of the sample break clients on purpose; only other complaints are failures.
    expected = [line for line in complaints if "io.github.oddities/" in line]
    say(f"\nchecked {url}/feeds/mirror: {met} entries walked, {len(complaints)} differences,")
    say(f"of which {len(expected)} are odd entries that clients could not decode:")
    for complaint in complaints:
        say(f"  {complaint}")
    return 1 if len(expected) < len(complaints) or not met else 0
