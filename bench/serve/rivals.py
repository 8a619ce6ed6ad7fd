"""What we compare with: nginx with the same bytes as files, PostgreSQL with the same rows."""

import contextlib
import gzip
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serve.edition.base import LATEST
from serve.edition.edition import Edition
from serve.edition.selection import from_micros

_NGINX = """
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
daemon off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    open_file_cache max=20000 inactive=600s;
    open_file_cache_valid 600s;
    types {{ }}
    default_type application/json;
    gzip_static on;
    server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""
_SCHEMA = """
CREATE TABLE servers (
    server_name VARCHAR(255) NOT NULL,
    version VARCHAR(255) NOT NULL,
    status VARCHAR(50) NOT NULL DEFAULT 'active',
    published_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    is_latest BOOLEAN NOT NULL,
    value JSONB NOT NULL
);
\\copy servers FROM '{csv}' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')
ALTER TABLE servers ADD PRIMARY KEY (server_name, version);
CREATE INDEX ON servers (server_name);
CREATE INDEX ON servers (server_name, is_latest) WHERE is_latest;
CREATE INDEX ON servers (updated_at DESC);
CREATE TABLE cursors AS
    SELECT row_number() OVER (ORDER BY random()) AS id, server_name, version FROM servers
    ORDER BY random() LIMIT 4000;
ALTER TABLE cursors ADD PRIMARY KEY (id);
ANALYZE;
"""
_COLUMNS = "server_name, version, status, published_at, updated_at, is_latest, value"
_AT = (
    "((SELECT server_name FROM cursors WHERE id = :i), (SELECT version FROM cursors WHERE id = :i))"
)
QUERIES = {
    "page of 30": f"SELECT {_COLUMNS} FROM servers WHERE (server_name, version) > {_AT} "
    "AND status <> 'deleted' ORDER BY server_name, version LIMIT 30;",
    "page of 100": f"SELECT {_COLUMNS} FROM servers WHERE (server_name, version) > {_AT} "
    "AND status <> 'deleted' ORDER BY server_name, version LIMIT 100;",
    "one entry": f"SELECT {_COLUMNS} FROM servers WHERE (server_name, version) = {_AT};",
    "latest of one": f"SELECT {_COLUMNS} FROM servers WHERE is_latest AND server_name = "
    "(SELECT server_name FROM cursors WHERE id = :i);",
    "search": f"SELECT {_COLUMNS} FROM servers WHERE server_name ILIKE '%zq-:i%' "
    "ORDER BY server_name, version LIMIT 30;",
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def nginx(files: dict[str, bytes]) -> Iterator[tuple[int, int]]:
    """Run nginx over named files, each with a .gz beside it; yield its port and process ID."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        # If started by root, nginx reads the files as another user.
        folder.chmod(0o755)
        for path, body in files.items():
            place = folder / "files" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(body)
            place.with_name(f"{place.name}.gz").write_bytes(gzip.compress(body, 6, mtime=0))
        (folder / "conf").write_text(_NGINX.format(folder=folder, port=port))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        process = subprocess.Popen([program, "-c", folder / "conf"], stderr=subprocess.DEVNULL)
        try:
            answering(port)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(20)


def answering(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > end:
            raise SystemExit(f"nothing answers on port {port}")
        time.sleep(0.02)


@contextmanager
def postgres(edition: Edition) -> Iterator["Database"]:
    """Run our own PostgreSQL server with every entry of an edition in the official schema."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory() as name:
        database = Database(programs[-1].parent, Path(name))
        database.start()
        try:
            database.load(edition)
            yield database
        finally:
            database.stop()


class Database:
    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)

    def _run(self, program: str, *arguments: str) -> str:
        user = {"user": self._user.pw_uid, "group": self._user.pw_gid} if self._user else {}
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            **user,  # type: ignore[call-overload]
        )
        if done.returncode:
            raise SystemExit(f"{program} failed: {done.stderr}")
        return str(done.stdout)

    def start(self) -> None:
        data = str(self._folder / "data")
        self._run("initdb", "-D", data, "-A", "trust", "--locale=C.UTF-8", "-U", "bench")
        options = f"-k {self._folder} -c listen_addresses= -c shared_buffers=2GB -c fsync=off"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "stop")

    def load(self, edition: Edition) -> None:
        path = self._folder / "rows"
        with path.open("w", encoding="utf-8") as file:
            for number in range(edition.count):
                name, version = edition.keys.pair(number)
                decoded = json.loads(edition.body(number))
                at = from_micros(int(edition.arrays["published"][number])).isoformat()
                latest = "t" if edition.arrays["flags"][number] & LATEST else "f"
                value = json.dumps(decoded["server"], ensure_ascii=False)
                # JSON text never holds the bytes 1 and 2, so nothing needs quotes.
                file.write("\x01".join([name, version, "active", at, at, latest, value]) + "\n")
        # psql may run as another user.
        path.chmod(0o644)
        script = self._folder / "schema.sql"
        script.write_text(_SCHEMA.format(csv=path))
        script.chmod(0o644)
        self._run(
            "psql", "-h", str(self._folder), "-U", "bench", "-q", "-f", str(script), "postgres"
        )

    def rate(self, query: str, seconds: int) -> float:
        """Queries per second with 8 clients and prepared statements."""
        script = self._folder / "query.sql"
        script.write_text(f"\\set i random(1, 4000)\n{query}\n")
        script.chmod(0o644)
        # A parameter inside a string literal (ILIKE) cannot be prepared.
        output = self._run(
            "pgbench", "-h", str(self._folder), "-U", "bench", "-n", "-M",
            "simple" if "ILIKE" in query else "prepared",
            "-c", "8", "-j", "1", "-T", str(seconds), "-f", str(script), "postgres",
        )  # fmt: skip
        line = next(line for line in output.splitlines() if line.startswith("tps"))
        return float(line.split()[2])
