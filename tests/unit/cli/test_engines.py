from pathlib import Path

import pytest

from freehold.cli.context import Here
from freehold.cli.engines import chosen, with_files
from freehold.config import Folders, Settings
from freehold.engines.registry import EngineSpec
from freehold.engines.weights.errors import WeightsError

TWO = Settings(
    engines=(EngineSpec(name="local", models=("a",), slots=3), EngineSpec(name="gpu", kind="other", models=("b",))),
    aliases={"gpt-4.1": "b"},
)


def test_without_an_engine_the_embedded_one_is_it() -> None:
    assert chosen(Settings(), None, None, None).engines == (EngineSpec(name="local"),)


def test_an_engine_is_chosen_by_its_name_or_its_kind() -> None:
    assert chosen(TWO, "gpu", None, None).engines == TWO.engines[1:]
    assert chosen(TWO, "script", None, 5.0).engines == (EngineSpec(name="script", kind="script", rate=5.0),)


def test_a_model_stands_alone_behind_every_name() -> None:
    settings = chosen(TWO, None, "m", None)
    assert settings.engines == (EngineSpec(name="local", models=("m",), slots=3),)
    assert settings.aliases == {}


def test_a_file_is_served_under_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "my-model.gguf"
    file.write_bytes(b"GGUF")
    here = Here({}, Folders(tmp_path, tmp_path / "models"))
    settings, find = with_files(chosen(Settings(), None, str(file), None), here)
    assert settings.engines[0].models == ("my-model",) and find("my-model") == file


def test_an_unknown_model_is_said_at_once(tmp_path: Path) -> None:
    here = Here({}, Folders(tmp_path, tmp_path / "models"))
    with pytest.raises(WeightsError, match="No model 'nope'"):
        with_files(chosen(Settings(), None, "nope", None), here)
