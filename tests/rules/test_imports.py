"""Rules about imports that import-linter cannot check."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["pipelines", "connectors", "enrich", "warehouse", "serve"]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for room in ROOMS for path in (ROOT / room).rglob("*.py")}


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a module imports: at its top, inside functions, or only for types."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                module = name if name in MODULES else node.module
                if module in MODULES:
                    yield module


def test_no_import_goes_round_in_a_circle() -> None:
    graph = {module: set(imported(path)) - {module} for module, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_serving_loads_neither_duckdb_nor_sqlglot_nor_the_compiler_of_rules() -> None:
    names = [name for name in MODULES if name.split(".")[0] == "serve"]
    names += [name for name in MODULES if name.startswith("warehouse.rules")]
    code = (
        f"import importlib, sys; [importlib.import_module(name) for name in {sorted(names)}]\n"
        "print([name for name in ('duckdb', 'sqlglot', 'dagster') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
