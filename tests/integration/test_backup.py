"""A server that is written to is backed up, and what it had acknowledged by then is there after a restore."""

import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from threading import Event, Thread

from openai import OpenAI

from tests.databases import POSTGRESQL
from tests.servers import Server, running_server, strict_client


def freehold(*arguments: str | Path, data: Path) -> subprocess.CompletedProcess[str]:
    """Run a command on a data folder with a SQLite database."""
    command = [Path(sys.executable).with_name("freehold"), "--data", data, *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FREEHOLD_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=kept)


class Writing:
    """Stores files and responses, one after the other, until it is stopped."""

    def __init__(self, server: Server) -> None:
        self.stored: list[tuple[str, str, bytes]] = []
        self._server = server
        self._stop = Event()
        self._thread = Thread(target=self._write)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait for it."""
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        with strict_client(self._server) as client:
            for number in count():
                if self._stop.is_set():
                    return
                content = f"content {number} ".encode() * 1000
                file = client.files.create(file=("f.txt", content), purpose="user_data")
                if number % 3 == 2:
                    client.files.delete(file.id)
                    continue
                response = client.responses.create(model="gpt-5", input=file.id)
                self.stored.append((file.id, response.id, content))


def check(client: OpenAI, stored: list[tuple[str, str, bytes]]) -> None:
    """Make sure that everything is there."""
    for file_id, response_id, content in stored:
        assert client.files.content(file_id).read() == content
        assert client.responses.retrieve(response_id).output_text == file_id


def test_what_was_acknowledged_is_in_the_backup_of_a_server_at_work(tmp_path: Path) -> None:
    assert not POSTGRESQL
    data, backup, new = tmp_path / "data", tmp_path / "backup.tar", tmp_path / "new"
    with running_server(tmp_path, "--engine", "script") as server:
        secret = freehold("keys", "create", data=data).stdout.strip()
        writing = Writing(server)
        try:
            while len(writing.stored) < 5:
                assert server.process.poll() is None
                time.sleep(0.05)
            before = list(writing.stored)
            done = freehold("backup", backup, data=data)
            assert (done.returncode, done.stderr.startswith("Keep it as you would keep the server")) == (0, True)
            during = len(writing.stored)
            busy = freehold("restore", "--force", backup, data=data)
        finally:
            writing.stop()
        assert busy.returncode == 1 and "is in use" in busy.stderr and "Stop the server first" in busy.stderr
        assert len(writing.stored) > during > len(before)
        with strict_client(server) as client:
            check(client, writing.stored)
    assert backup.stat().st_mode & 0o777 == 0o600
    done = freehold("restore", backup, data=new / "data")
    assert (done.returncode, done.stderr) == (0, "")
    with running_server(new, "--engine", "script") as server, strict_client(server, secret) as client:
        check(client, before)
        for file in client.files.list():
            assert len(client.files.content(file.id).read()) == file.bytes


def test_the_commands_say_what_is_wrong_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text('[storage]\ndatabase = "postgresql://me:secret@127.0.0.1:1/db"\n')
    for arguments, message in (
        (("backup", tmp_path / "b.tar"), "PostgreSQL has its own tools"),
        (("migrate",), "postgresql://me:***@127.0.0.1:1/db cannot be opened: connection failed"),
        (("keys", "list"), "postgresql://me:***@127.0.0.1:1/db cannot be opened: connection failed"),
        (("serve", "--engine", "script", "--port", "0"), "postgresql://me:***@127.0.0.1:1/db cannot be opened"),
    ):
        done = freehold(*arguments, data=tmp_path)
        assert done.returncode == 1 and message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1 and "secret" not in done.stderr
    doctor = freehold("doctor", data=tmp_path)
    assert "MISSING database: The database postgresql://me:***@127.0.0.1:1/db cannot be opened" in doctor.stdout
    assert "secret" not in doctor.stdout + doctor.stderr


def test_migrate_says_what_it_did(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text("[storage]\nmigrate = false\n")
    refused = freehold("keys", "list", data=tmp_path)
    assert refused.returncode == 1 and "has no tables yet. Run `freehold migrate`" in refused.stderr
    assert "was empty; it has schema" in freehold("migrate", data=tmp_path).stdout
    assert "is up to date: schema" in freehold("migrate", data=tmp_path).stdout
    assert freehold("keys", "list", data=tmp_path).returncode == 0
