"""`make bench-curate`: time verdicts on 10,000 and 100,000 versions, with 1 rule and with 20.

SQL fills the warehouse: three versions per server; six of ten versions have an npm or PyPI package
with known facts, the others have a remote. Each curation runs in its own process with DuckDB's
default memory limit. The tables show the first run, which also writes the history, and medians of
all rounds.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from pipelines.cli.console import print_table
from warehouse.curation.decide import decide
from warehouse.database.warehouse import Warehouse
from warehouse.expressions.compile import compile_predicate
from warehouse.rules.rulebook import CompiledRule, RuleBook

NOW = datetime(2026, 6, 1, tzinfo=UTC)
RULES = (
    """
list_has_any(signals, ['security_hold', 'quarantined'])
absent_package_count > 0
list_has_any(availabilities, ['yanked', 'unpublished', 'gone'])
list_contains(signals, 'package_archived') OR status = 'deprecated'
list_has_any(signals, ['owners_changed', 'digest_moved'])
NOT is_canonical AND cluster_kind <> 'repository'
len(text_flags) > 0
publisher_rank > 200
host_rank > 500
install_script_package_count > 0 AND NOT list_contains(ownerships, 'verified')
versions_behind > 20 AND days_behind > 365
coalesce(downloads, 0) > 1000000 AND NOT owns_repository
updated_days > 1000
regexp_matches(name, '(?i)(test|demo)-?[0-9]*$')
contains(lower(description), 'lorem ipsum')
license_missing
repository_url IS NULL AND website_url IS NULL AND age_days > 400
version LIKE '0.0.%' AND age_days > 100
transports = ['sse'] AND package_count = 0
is_latest AND status = 'active' AND (ownerships = ['verified'] OR owns_remotes)
""".replace("license_missing", "len(licenses) = 0 AND package_count > 0")
    .strip()
    .splitlines()
)

_FILL = """
CREATE TEMP TABLE made AS
SELECT
    range AS n, 'io.github.user' || (range // 12) || '/server-' || (range // 3) AS name,
    '1.' || (range % 3) || '.0' AS version, range % 10 < 6 AS packaged,
    CASE WHEN range % 3 = 0 THEN 'npm' ELSE 'pypi' END AS kind,
    'package-' || (range // 3) AS package
FROM range({count});
INSERT INTO bindings SELECT DISTINCT name, 'official', TIMESTAMPTZ '2026-01-01' FROM made;
INSERT INTO entries SELECT 'official', name, version, 's' || n, 'm', NULL, 'active', NULL,
    n % 3 = 2, TIMESTAMPTZ '2025-01-01' + to_hours(n % 9000), TIMESTAMPTZ '2026-01-01', NULL, 1,
    TIMESTAMPTZ '2026-01-01', NULL, NULL, 0 FROM made;
INSERT INTO contents SELECT 's' || n, true, NULL, 'Server ' || n,
    'Reads and writes the things that number ' || n || ' keeps, quickly and safely', NULL,
    'https://github.com/user' || (n // 12) || '/repo-' || (n // 3), 'github', NULL,
    packaged::INT, (NOT packaged)::INT FROM made;
INSERT INTO remotes SELECT 's' || n, 0, 'streamable-http',
    'https://mcp' || (n // 30) || '.example.org/' || (n // 3) FROM made WHERE NOT packaged;
INSERT INTO packages SELECT 's' || n, 0, kind, '', package, version, NULL FROM made WHERE packaged;
INSERT INTO package_refs SELECT DISTINCT kind, '', package, version, kind, package, version,
    'pkg:' || kind || '/' || package, NULL, 'exact', '1' FROM made WHERE packaged;
INSERT INTO package_facts BY NAME SELECT DISTINCT kind AS origin, package,
    TIMESTAMPTZ '2026-05-01' AS observed_at, 'https://packages.example.org' AS source,
    'known' AS state, 'ok' AS outcome, '1.2.0' AS latest_version, 3 AS version_count,
    TIMESTAMPTZ '2025-01-01' AS first_published_at FROM made WHERE packaged;
INSERT INTO version_facts BY NAME SELECT DISTINCT kind AS origin, package, version,
    TIMESTAMPTZ '2026-05-01' AS observed_at, 'https://packages.example.org' AS source,
    'known' AS state, 'ok' AS outcome, TIMESTAMPTZ '2025-02-01' AS published_at,
    hash(package) % 50 = 0 AS yanked, 'MIT' AS license, false AS install_scripts,
    false AS provenance, [name] AS server_names, 0 AS newer_versions FROM made WHERE packaged;
"""


def fill(path: Path, count: int) -> None:
    with Warehouse(path).session() as session:
        for statement in _FILL.format(count=count).split(";"):
            if statement.strip():
                session.text(statement)


def curate(path: Path, rules: int) -> None:
    """Curate once in this process; print seconds, peak memory in MB, and entries admitted."""
    compiled = [
        CompiledRule(f"rule-{number}", "exclude", "a bench", compile_predicate(text))
        for number, text in enumerate(RULES[:rules])
    ]
    book = RuleBook(compiled, default="admit")
    began = time.perf_counter()
    with Warehouse(path).session() as session:
        counts = decide(session, "bench", book, policy_hash=str(rules), now=NOW).counts
    result = {
        "seconds": time.perf_counter() - began,
        # ru_maxrss is in KB on Linux.
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "admitted": sum(row["count"] for row in counts if row["verdict"] == "admit"),
    }
    sys.stdout.write(json.dumps(result))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--one", nargs=2, metavar=("PATH", "RULES"))
    arguments = options.parse_args()
    if arguments.one:
        curate(Path(arguments.one[0]), int(arguments.one[1]))
        return
    rows: list[list[object]] = []
    medians: dict[tuple[int, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (10_000, 100_000):
            path = Path(folder) / f"{count}.duckdb"
            fill(path, count)
            for rules in (1, len(RULES)):
                runs = [_measured(path, rules) for _ in range(arguments.rounds)]
                medians[count, rules] = statistics.median(item["seconds"] for item in runs)
                rows.append(
                    [
                        f"{count:,}",
                        rules,
                        f"{runs[0]['seconds']:.2f}",
                        f"{medians[count, rules]:.2f}",
                        f"{statistics.median(item['peak'] for item in runs):.0f}",
                        f"{runs[0]['admitted']:,}",
                    ]
                )
    names = ["versions", "rules", "first s", "s", "peak MB", "admitted"]
    print_table(names, rows)
    large, few = medians[100_000, len(RULES)], medians[100_000, 1]
    print_table(
        ["ratio", ""],
        [
            ["20 rules to 1, at 100,000", f"{large / few:.2f}"],
            ["100,000 to 10,000, with 20", f"{large / medians[10_000, len(RULES)]:.2f}"],
        ],
    )


def _measured(path: Path, rules: int) -> dict[str, float]:
    # A new process each time: ru_maxrss is a peak of the whole process and never falls.
    command = [sys.executable, "-m", "bench.curate", "--one", str(path), str(rules)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


if __name__ == "__main__":
    main()
