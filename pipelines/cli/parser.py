"""The parser of the command line.

It imports no library, so that starting is fast; each command imports the rooms that it needs.
"""

import argparse
import sys
from collections.abc import Sequence

from pipelines.cli.stopping import Stopped, stoppable, stopped

_EPILOG = """exit codes: 0 done, 1 failed, 2 usage, 3 refused by a gate or brake, 4 busy.
Settings are environment variables SUBREGISTRY_*; docs/operators.md lists them."""

_RUN = """Pull, curate, build and switch every feed, then renew the analysts' copy. Profiling is a
run of its own, so that nothing waits for package registries, unless --profile is given."""
_PULL = """Bring the warehouse up to its upstream registries. The first pull is a full walk; later
ones ask for what changed since the last. A full walk also finds silent changes and what is gone."""
_PROFILE = """Ask the package registries for the packages that are due, at the rate that each host
tolerates. A run ends after SUBREGISTRY_PROFILE_SECONDS; the next one goes on."""
_DOCTOR = """Check which sources answer from here, which tokens work, and what a proxy in between
strips. It sends ten requests at most."""
_CURATE = "Decide on every entry of a feed, by its feed document."
_BUILD = "Write a candidate edition from the feed's verdicts. Nothing goes live."
_SWITCH = """Let the candidate go live, after the gate. Going back to an earlier edition makes a new
one with its content, which stays live until --resume."""
_BLOCK = """Withdraw a server, or one version, from every live feed within seconds, without the
pipeline and its gate, also for walks under way and kept editions. It stays until --lift."""
_AUDIT = "Print who did what by hand and why, and check that no line of the log was changed."
_EXPORT = """Write the live edition as files: the whole API as a static tree for object stores and
web servers, or an allow-list for a client. A later block takes what it names out of there too."""
_INDEX = """Make what serves the live edition fast: a base where one is due, first pages
compressed, the index for ranked search. Serving goes on without."""
_EDITIONS = """List the editions of a feed that are kept, or verify them: every file against its
manifest, and every page that was compressed beforehand."""
_SERVE = "Serve the live editions over HTTP. A switch is picked up by itself."
_STATUS = """Show what is live, where each pull stands, what failed last and what somebody must do.
Exit code 1 while somebody is needed."""
_EXPLAIN = "Explain why a server is in a feed, or why not, and what is known of its packages."
_CHANGES = "List what became different after an instant: added, changed, latest moved, vanished."
_QUARANTINE = "List upstream records that could not be read, with their reasons."
_RELEASE = """Take names from the upstream they belong to. Each goes to the first upstream in order
of precedence that has it now, or to nobody until one brings it."""
_QUERY = "Run one SQL statement on the analysts' copy, read only."
_FEEDS = """List the feeds, check the feed documents and how many entries each rule takes, say what
a changed document would add, withdraw and change before anything is published, or list the columns
that a rule may use."""
_KEYS = """List, make or revoke the keys of a feed whose document says access = "key". A new key is
printed once; only its hash is kept."""
_DEMO = "Run the whole line on embedded sample data, with no network, then serve the feed."


class _Command(argparse.ArgumentParser):
    """Takes options before, between and after its words; argparse alone loses words behind one."""

    _inside = False

    def parse_known_args(  # type: ignore[override]  # argparse's overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if self._inside:
            return super().parse_known_args(args, namespace)
        self._inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._inside = False


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="subregistry",
        description="Copy an MCP registry without losing a change; publish curated feeds of it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_Command
    )

    def add(name: str, text: str, *, report: bool = True) -> argparse.ArgumentParser:
        # The list of commands shows the first sentence only.
        first = " ".join(text.split()).split(". ", maxsplit=1)[0].rstrip(".") + "."
        subparser = commands.add_parser(name, help=first, description=text, epilog=_EPILOG)
        if report:
            subparser.add_argument("--json", action="store_true", help="print JSON")
        return subparser

    run = add("run", _RUN)
    pull = add("pull", _PULL)
    for command in (run, pull):
        command.add_argument(
            "--full", action="store_true", help="walk everything, not only changes"
        )
    run.add_argument("--profile", action="store_true", help="profile too, before the feeds")
    pull.add_argument("--upstream", metavar="NAME", help="one upstream only")
    pull.add_argument(
        "--accept-shrink",
        action="store_true",
        help="walk everything, and go on although upstream lost more than is plausible",
    )
    pull.add_argument("--reason", default="", metavar="WHY", help="for the audit log")
    profile = add("profile", _PROFILE)
    profile.add_argument("--budget", type=_positive, metavar="N", help="ask for N packages at most")
    profile.add_argument("--only", metavar="ORIGIN:NAME", help="ask for one package, due or not")
    doctor = add("doctor", _DOCTOR)
    doctor.add_argument("--only", metavar="ORIGIN", help="one source, such as npm or oci:ghcr.io")
    steps = {"curate": _CURATE, "build": _BUILD, "switch": _SWITCH, "index": _INDEX}
    for name, text in steps.items():
        step = add(name, text)
        step.add_argument("--feed", metavar="NAME", help="one feed only")
        if name == "switch":
            step.add_argument("--accept", action="store_true", help="override the gate")
            step.add_argument("--reason", default="", metavar="WHY", help="for the audit log")
            way = step.add_mutually_exclusive_group()
            way.add_argument(
                "--to", metavar="ID", help="serve an earlier edition again, and hold the feed there"
            )
            way.add_argument(
                "--resume", action="store_true", help="end the hold and switch to the candidate"
            )
        if name == "build":
            step.add_argument(
                "--from-scratch",
                action="store_true",
                help="rebuild from scratch, ignoring the live edition",
            )
    block = add("block", _BLOCK)
    block.add_argument("target", nargs="?", metavar="NAME[@VERSION]", help="what to block")
    block.add_argument(
        "--reason", default="", metavar="WHY", help="shown to readers, and on record"
    )
    ending = block.add_mutually_exclusive_group()
    ending.add_argument("--lift", action="store_true", help="end the block")
    ending.add_argument("--list", action="store_true", help="list what is blocked")
    add("audit", _AUDIT)
    export = add("export", _EXPORT)
    export.add_argument("--feed", default="default", metavar="NAME", help="feed (%(default)s)")
    export.add_argument("--static", metavar="DIR", help="the whole API as a tree of files")
    export.add_argument("--key", metavar="FILE", help="sign the tree's manifest (Ed25519, PEM)")
    export.add_argument("--form", metavar="FORM", help="copilot, claude-code, vscode or registry")
    export.add_argument("--to", metavar="FILE", help="where the form is written")
    serve = add("serve", _SERVE, report=False)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=8080, help="port; 0 picks one (%(default)s)")
    serve.add_argument("--workers", type=_positive, default=1, help="processes (%(default)s)")
    add("status", _STATUS)
    explain = add("explain", _EXPLAIN)
    explain.add_argument("server", metavar="NAME[@VERSION]", help="a server, or one version of it")
    explain.add_argument("--feed", default="default", metavar="NAME", help="feed (%(default)s)")
    explain.add_argument("--at", metavar="T", help="as of an instant, like 2026-03-01T12:00:00Z")
    changes = add("changes", _CHANGES)
    changes.add_argument(
        "--since", required=True, metavar="T", help="instant, like 2026-03-01T12:00:00Z"
    )
    quarantine = add("quarantine", _QUARANTINE)
    quarantine.add_argument("--all", action="store_true", help="include records that were released")
    release = add("release", _RELEASE)
    release.add_argument("names", nargs="*", metavar="NAME", help="a server name")
    release.add_argument("--reason", default="", metavar="WHY", help="for the audit log")
    release.add_argument("--of", metavar="UPSTREAM", help="all names of an upstream")
    query = add("query", _QUERY)
    query.add_argument("sql", metavar="SQL", help='for example "FROM current_entries LIMIT 5"')
    feeds = add("feeds", _FEEDS)
    feeds.add_argument(
        "action", nargs="?", choices=["list", "check", "diff", "columns"], default="list"
    )
    feeds.add_argument(
        "what",
        nargs="?",
        metavar="FILE|NAME",
        help="with diff: a changed document; with columns: a server, to see its values",
    )
    editions = add("editions", _EDITIONS)
    editions.add_argument("action", nargs="?", choices=["list", "verify"], default="list")
    editions.add_argument("edition", nargs="?", metavar="ID", help="one edition only")
    editions.add_argument("--feed", metavar="NAME", help="one feed only")
    keys = add("keys", _KEYS)
    keys.add_argument("action", choices=["list", "add", "revoke"])
    keys.add_argument("what", nargs="?", metavar="LABEL|ID", help="label of a new key, or ID")
    keys.add_argument("--feed", default="default", metavar="NAME", help="feed (%(default)s)")
    demo = add("demo", _DEMO, report=False)
    demo.add_argument("--once", action="store_true", help="check the feed and exit")
    demo.add_argument("--port", type=int, default=8080, help="port; 0 picks one (%(default)s)")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code. An error that a user can act on prints one sentence."""
    arguments = parser().parse_args(argv)
    try:
        with stoppable(arguments.command):
            from pipelines.cli.dispatch import dispatch  # late: keeps the start fast

            return dispatch(arguments)
    except (KeyboardInterrupt, Stopped) as why:
        return _stopped(arguments.command, why)
    except BrokenPipeError:
        # The reader of our output is gone; a closed stderr hides the failed flush at exit.
        sys.stderr.close()
        return 0
    except Exception as error:
        from pipelines.cli.console import escaped
        from pipelines.errors import exit_code, stop_in

        if stop := stop_in(error):
            return _stopped(arguments.command, stop)
        code = exit_code(error)
        if code is None:
            raise
        sys.stderr.write(f"subregistry: {escaped(str(error))}\n")
        return code


def _stopped(command: str, why: BaseException) -> int:
    code, message = stopped(command, why)
    if message:
        sys.stderr.write(f"subregistry: {message}\n")
    return code


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
