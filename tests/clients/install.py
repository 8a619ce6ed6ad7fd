"""Installs the clients that the tests drive, each in its own folder below `.clients`.

`python -m tests.clients.install` installs the Python clients; with `all`, the npm clients too. It
names and skips what cannot be installed because Python or npm is missing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[1] / ".clients"
PYTHON = {
    "mcp-registry-sdk": (3, 13),
    "mcp-lookup": (3, 11),
    "langchain-mcp-registry": (3, 11),
    "mcp-registry-cli": (3, 11),
}
"""Client to the lowest Python version that it needs."""
NPM = ("vscode-gallery", "copilot-language-server")


def interpreter(least: tuple[int, int]) -> str | None:
    """The path of a Python that is new enough: this one, else one on the path or below pyenv."""
    if sys.version_info >= least:
        return sys.executable
    names = [f"python3.{minor}" for minor in range(least[1], least[1] + 4)]
    below = [
        str(path) for name in names for path in Path.home().glob(f".pyenv/versions/*/bin/{name}")
    ]
    for candidate in [*filter(None, map(shutil.which, names)), *below]:
        # A pyenv shim can be on the path without an installed version behind it.
        if (
            subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode
            == 0
        ):
            return candidate
    return None


def install_python(name: str) -> None:
    folder, wanted = PLACE / name, HERE / "requirements" / f"{name}.txt"
    least = PYTHON[name]
    done = folder / "installed"
    if done.exists() and done.read_text() == wanted.read_text():
        return
    python = interpreter(least)
    if python is None:
        print(f"{name} is left out: it needs Python {least[0]}.{least[1]}, and there is none")
        return
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    pip = [str(folder / "bin" / "pip"), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "-r", wanted], check=True)
    done.write_text(wanted.read_text())


def install_npm(name: str) -> None:
    if shutil.which("npm") is None:
        print(f"{name} is left out: there is no npm")
        return
    folder = PLACE / name
    shutil.copytree(HERE / "npm" / name, folder, dirs_exist_ok=True)
    # package.json pins every version; a lock file would also name the host of each package.
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(["npm", "install", *quiet], cwd=folder, check=True)


if __name__ == "__main__":
    PLACE.mkdir(exist_ok=True)
    for client in PYTHON:
        install_python(client)
    if "all" in sys.argv[1:]:
        for client in NPM:
            install_npm(client)
