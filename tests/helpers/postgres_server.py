"""A PostgreSQL cluster of its own for tests: in a temporary folder, on the loopback, with a password made up for it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from free_ports import free_ports

try:
    import psycopg2
except ImportError:
    psycopg2 = None

# PostgreSQL refuses to run as root, and its packages make this user for it.
USER = "postgres" if os.geteuid() == 0 else None
START_SECONDS = 60


def missing() -> str | None:
    """What is missing to start a cluster, and how to get it; None if nothing is."""
    if _binaries() is None:
        return "no PostgreSQL here: apt-get install postgresql (or, with conda, conda install postgresql)"
    if psycopg2 is None:
        return "Python cannot speak to PostgreSQL here: pip install psycopg2-binary"
    return None


def _binaries() -> Path | None:
    """The folder of PostgreSQL's programs, which Debian keeps out of the search path."""
    found = [Path(path).parent for path in filter(None, [shutil.which("initdb")])]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return next((folder for folder in found if (folder / "initdb").exists()), None)


class Postgres:
    """A cluster at work."""

    def __init__(self, folder: Path) -> None:
        (self.port,), self._password, self._folder = free_ports(1), secrets.token_hex(8), folder
        password = folder / "password"
        password.write_text(self._password)
        if USER is not None:
            for path in (folder, password):
                shutil.chown(path, USER)
        made = [_binaries() / "initdb", "--pgdata", folder / "data", "--username", "postgres", "--no-sync"]
        made += ["--auth", "scram-sha-256", "--pwfile", password, "--encoding", "UTF8", "--locale", "C"]
        subprocess.run(made, check=True, capture_output=True, user=USER, group=USER, cwd=folder)
        settings = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        command = [_binaries() / "postgres", "-D", folder / "data"]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=USER, group=USER, cwd=folder)

    @property
    def uri(self) -> str:
        """Its address, as MLflow wants it."""
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/postgres"

    def wait(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.ask("SELECT 1")
                return
            except psycopg2.OperationalError:
                time.sleep(0.1)
        raise AssertionError(f"PostgreSQL did not come up:\n{(self._folder / 'log').read_text()}")

    def ask(self, sql: str, *values: Any) -> list[tuple]:
        """The rows that a query gives."""
        return self._execute(sql, values, rows=True)

    def tell(self, sql: str) -> None:
        """Have something done."""
        self._execute(sql, (), rows=False)

    def _execute(self, sql: str, values: tuple, *, rows: bool) -> list[tuple]:
        with closing(psycopg2.connect(self.uri)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if rows else []

    def take_no_more(self, full: bool) -> None:
        """Refuse everything that would write, as where its disk is full; or take it again."""
        self.tell(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if full else 'off'}")
        self.ask("SELECT pg_reload_conf()")

    @contextmanager
    def busy(self, table: str) -> Iterator[None]:
        """Keep everyone waiting who reads or writes a table, for a block."""
        with closing(psycopg2.connect(self.uri)) as connection, connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)  # at once, but in order
        self._process.wait(START_SECONDS)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A cluster for a block."""
    # Not in pytest's folders, which are closed to other users.
    with tempfile.TemporaryDirectory(prefix="ganbench-postgres-") as folder:
        cluster = Postgres(Path(folder))
        try:
            cluster.wait()
            yield cluster
        finally:
            cluster.stop()
