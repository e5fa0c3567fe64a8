import os
from pathlib import Path
from typing import Any

import pytest

from freehold.engines.weights.errors import UnknownModel, WeightsError
from freehold.engines.weights.folder import Folder, held, part_of


def test_a_starter_is_a_file_of_its_name(tmp_path: Path) -> None:
    wanted = Folder(tmp_path).want("smollm2-135m")
    assert wanted.path == tmp_path / "smollm2-135m.gguf" and wanted.starter is not None and not wanted.here


@pytest.mark.parametrize("name", ["org/repo:a.gguf", "org/repo/a.gguf", "org/repo:sub/a.gguf"])
def test_a_hub_name_is_understood(tmp_path: Path, name: str) -> None:
    wanted = Folder(tmp_path).want(name)
    assert wanted.hub is not None and wanted.hub[0] == "org/repo" and wanted.hub[1].endswith("a.gguf")
    assert wanted.path.is_relative_to(tmp_path)


def test_a_file_is_taken_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF")
    wanted = Folder(tmp_path / "models").want(str(file))
    assert wanted.path == file and wanted.starter is None and wanted.hub is None


@pytest.mark.parametrize(
    "name", ["gpt-17", "missing.gguf", "./models/a.gguf", "../../etc/passwd", "org/../x:a.gguf", ""]
)
def test_any_other_name_is_unknown_and_the_message_helps(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnknownModel, match=r"qwen2\.5-coder-1\.5b"):
        Folder(tmp_path).want(name)


def test_what_is_here_is_listed_and_found(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "hub/org/repo").mkdir(parents=True)
    (tmp_path / "hub/org/repo/a.gguf").write_bytes(b"1")
    (tmp_path / "smollm2-135m.gguf").write_bytes(b"2")
    assert [name for name, _ in folder.here()] == ["org/repo:a.gguf", "smollm2-135m"]
    assert folder.find("org/repo:a.gguf").read_bytes() == b"1"
    with pytest.raises(WeightsError, match="freehold models pull tiny-random"):
        folder.find("tiny-random")


def test_a_file_that_was_put_here_has_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "my model.gguf").write_bytes(b"1")
    folder = Folder(tmp_path)
    assert [folder.find(name) for name, _ in folder.here()] == [tmp_path / "my model.gguf"]


def test_removing_frees_the_file_and_what_a_stopped_pull_left(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    file = tmp_path / "smollm2-135m.gguf"
    file.write_bytes(b"12")
    part_of(file).write_bytes(b"345")
    assert folder.remove("smollm2-135m") == 5
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(WeightsError, match="is not in"):
        folder.remove("smollm2-135m")


def test_a_file_outside_is_never_removed(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(b"GGUF")
    with pytest.raises(WeightsError, match="outside the model folder"):
        Folder(tmp_path / "models").remove(str(file))
    assert file.exists()


@pytest.mark.parametrize(("module", "gone"), [(os, "scandir"), (Path, "lstat")])
def test_what_pip_moves_away_meanwhile_counts_nothing(
    tmp_path: Path, module: Any, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pip-x").mkdir()
    (tmp_path / "pip-x" / "half.whl").write_bytes(b"123")
    (tmp_path / "whole.whl").write_bytes(b"12345")
    assert held(tmp_path) == 8
    real = getattr(module, gone)

    def moved(path: Any, *arguments: Any, **named: Any) -> Any:
        if "pip-x" in str(path):
            raise FileNotFoundError(path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(module, gone, moved)
    assert held(tmp_path) == 5
    assert held(tmp_path / "never") == 0
