"""`freehold ingest` as people run it, and a server that is killed while it takes files in."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import http_client, running_server, strict_client

FILES = 150


def ingest(*arguments: str, url: str, key: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "freehold.cli.main", "ingest", *arguments]
    environ = os.environ | {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": key}
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def test_a_folder_goes_in_and_what_cannot_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "inner").mkdir(parents=True)
    (folder / "eggs.md").write_text("# Hens\n\nSpeckled hens lay brown eggs.")
    (folder / "inner/sea.txt").write_text("The harbour freezes every winter.")
    (folder / "inner/.hidden").write_text("not this")
    (folder / "odd.bin").write_bytes(b"\0\1")
    (folder / "empty.txt").write_text("")
    with running_server(tmp_path / "data", "--engine", "script") as server, strict_client(server) as client:
        done = ingest(str(folder), "--store", "handbook", url=server.base_url, key=server.key)
        assert done.returncode == 2, done.stderr
        assert "2 files can be searched, 1 could not be read" in done.stdout
        assert "odd.bin: The file is none of the types" in done.stderr
        assert "empty.txt: it is empty" in done.stderr
        assert "taking in 100%" in done.stderr
        (store,) = client.vector_stores.list().data
        assert (store.name, store.file_counts.completed) == ("handbook", 2)
        again = ingest(str(folder / "eggs.md"), "--store", store.id, url=server.base_url, key=server.key)
        assert (again.returncode, client.vector_stores.retrieve(store.id).file_counts.completed) == (0, 3)
        wrong = ingest(str(folder), "--store", "x", url=server.base_url, key="sk-wrong")
        assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
        assert "Incorrect API key" in wrong.stderr
    gone = ingest(str(folder), "--store", "x", url=server.base_url, key="k")
    assert gone.returncode == 1
    assert "does not answer" in gone.stderr


@pytest.mark.timeout(120)
def test_files_survive_a_server_that_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, "--engine", "script") as server, http_client(server) as client:
        ids = []
        for number in range(FILES):
            text = f"Thing {number} is made of wood. " * 50
            made = client.post(
                "/files", data={"purpose": "assistants"}, files={"file": (f"{number}.txt", text.encode())}
            )
            ids.append(made.json()["id"])
        store = client.post("/vector_stores", json={"name": "s"}).json()["id"]
        batch = client.post(f"/vector_stores/{store}/file_batches", json={"file_ids": ids}).json()["id"]
        time.sleep(0.3)
        server.signal(signal.SIGKILL)
        server.exit_code()
    with running_server(data, "--engine", "script") as server, http_client(server) as client:
        counts = {"in_progress": 1}
        while counts["in_progress"]:
            counts = client.get(f"/vector_stores/{store}/file_batches/{batch}").json()["file_counts"]
            time.sleep(0.2)
        assert counts == {"in_progress": 0, "completed": FILES, "failed": 0, "cancelled": 0, "total": FILES}
        contents = [client.get(f"/vector_stores/{store}/files/{one}/content").json()["data"] for one in ids[:20]]
        assert {len(content) for content in contents} == {1}
        found = client.post(f"/vector_stores/{store}/search", json={"query": "Thing 77"}).json()["data"]
        assert found[0]["filename"] == "77.txt"
