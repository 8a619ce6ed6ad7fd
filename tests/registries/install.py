"""Installs the package registries that tests start, below `.registries`.

`python -m tests.registries.install`; install Debian's docker-registry, skopeo and umoci with apt.
"""

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[1] / ".registries"
VERDACCIO = PLACE / "npm" / "node_modules" / ".bin" / "verdaccio"
DEVPI = PLACE / "devpi" / "bin"


def install_devpi() -> None:
    wanted, done = HERE / "requirements.txt", PLACE / "devpi" / "installed"
    if done.exists() and done.read_text() == wanted.read_text():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE / "devpi"], check=True)
    pip = [str(DEVPI / "pip"), "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "-r", wanted], check=True)
    done.write_text(wanted.read_text())


def install_verdaccio() -> None:
    wanted, done = HERE / "npm" / "package.json", PLACE / "npm" / "installed"
    if shutil.which("npm") is None:
        print("verdaccio is left out: there is no npm")
        return
    if done.exists() and done.read_text() == wanted.read_text():
        return
    shutil.copytree(HERE / "npm", PLACE / "npm", dirs_exist_ok=True)
    # A lock file would name the host of every package.
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(["npm", "install", *quiet], cwd=PLACE / "npm", check=True)
    done.write_text(wanted.read_text())


if __name__ == "__main__":
    PLACE.mkdir(exist_ok=True)
    install_devpi()
    install_verdaccio()
