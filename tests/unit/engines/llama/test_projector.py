"""Which file a model sees through."""

from pathlib import Path
from typing import Any

import pytest

from freehold.engines.llama.projector import find_projector
from freehold.engines.registry import EngineSpec


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model.gguf").write_bytes(b"")
    return tmp_path / "model.gguf"


def spec(**settings: Any) -> EngineSpec:
    return EngineSpec(name="local", **settings)


def test_a_model_alone_has_none(model: Path) -> None:
    assert find_projector(spec(), model) is None


def test_the_one_beside_a_model_that_is_alone_is_its_own(model: Path) -> None:
    beside = model.with_name("mmproj-F16.gguf")
    beside.write_bytes(b"")
    assert find_projector(spec(), model) == beside
    assert find_projector(spec(vision="native"), model) == beside
    assert find_projector(spec(vision="ocr"), model) is None
    assert find_projector(spec(vision="none"), model) is None
    model.with_name("other.gguf").write_bytes(b"")
    assert find_projector(spec(), model) is None


def test_two_beside_a_model_are_none(model: Path) -> None:
    for name in ("mmproj-a.gguf", "mmproj-b.gguf"):
        model.with_name(name).write_bytes(b"")
    assert find_projector(spec(), model) is None


def test_the_one_that_is_named_counts(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "eyes.gguf").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert find_projector(spec(models=("a",), projector="eyes.gguf"), model) == tmp_path / "eyes.gguf"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"projector": "none.gguf"}, "does not exist"),
        ({"projector": "model.gguf", "vision": "ocr"}, "its vision is 'ocr'"),
        ({"projector": "model.gguf", "models": ("a", "b")}, "belongs to one model"),
        ({"vision": "native"}, "needs the file of a projector"),
    ],
)
def test_settings_that_contradict_each_other(
    model: Path, settings: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    with pytest.raises(ValueError, match=reason):
        find_projector(spec(**settings), model)
