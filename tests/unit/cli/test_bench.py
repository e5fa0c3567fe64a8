import json
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from freehold.cli import bench as module
from freehold.cli.bench import bench
from freehold.cli.context import Here
from freehold.config import Folders
from freehold.core.errors import EngineFailed
from freehold.engines.registry import EngineSpec, Find
from freehold.engines.trial.measure import Measured, Plan
from freehold.engines.trial.preferences import Preferences, key_of

Speeds = dict[str, float | None]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.gguf").write_bytes(b"GGUF")
    return Here({}, Folders(tmp_path / "data", tmp_path / "models"))


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> Speeds:
    """Tokens a second of each kind of engine; None for one that does not load, nothing for one not installed."""
    told: Speeds = {"llama": 100.0}

    async def measured(spec: EngineSpec, find: Find, plan: Plan, done: Callable[[], None]) -> Measured:
        assert spec.slots == 32 and find(spec.models[0]).name == "m.gguf"
        assert spec.speculation == "none" or spec.kind == "llama"
        rate = told[spec.kind]
        if rate is None:
            raise EngineFailed("The model 'm' could not be loaded: no.")
        for _ in range(plan.steps):
            done()
        rates = dict.fromkeys(plan.streams, rate)
        refuses = ("haste",) if spec.kind == "llama" else ("haste", "waste")
        return Measured(
            kind=spec.kind, backend="", prompt=900, first_token=100 / rate, rates=rates, memory=1, refuses=refuses
        )

    monkeypatch.setattr(module, "measure", measured)
    monkeypatch.setattr(module, "bandwidth", lambda: 1e9)
    monkeypatch.setattr(module, "find_spec", lambda name: ModuleSpec(name, None) if "openvino" in told else None)
    return told


def run(here: Here, *arguments: str) -> Any:
    done = CliRunner().invoke(bench, arguments, obj=here, catch_exceptions=False)
    assert done.exit_code == 0
    return done


def remembered(here: Here) -> str | None:
    found = Preferences(here.folders.data).find(key_of(here.folders.models / "m.gguf"))
    return None if found is None else found.kind


def test_a_clearly_faster_engine_is_remembered_and_what_it_refuses_is_said(here: Here, speeds: Speeds) -> None:
    speeds["openvino"] = 150.0
    done = run(here, "m")
    assert remembered(here) == "openvino"
    assert "openvino is 1.50 times as fast as llama" in done.stdout
    assert "Remembered: `freehold serve` and `freehold chat` take openvino for m" in done.stdout
    assert (
        "It refuses waste, some keywords of strict schemas, Lark grammars, suffix and prompts kept for 24 hours."
        in done.stdout
    )


@pytest.mark.parametrize("speed", [50.0, 100.0, 109.0])
def test_one_that_is_hardly_faster_is_not(here: Here, speeds: Speeds, speed: float) -> None:
    speeds["openvino"] = speed
    assert "It is not clearly faster." in run(here, "m", "--quick").stdout
    assert remembered(here) == "llama"


def test_nor_one_that_would_take_the_models_eyes(here: Here, speeds: Speeds) -> None:
    speeds["openvino"] = 200.0
    (here.folders.models / "mmproj.gguf").write_bytes(b"GGUF")
    assert "does not read this model's projector" in run(here, "m").stdout
    assert remembered(here) == "llama"


def test_where_there_is_no_choice_nothing_is_remembered_any_more(here: Here, speeds: Speeds) -> None:
    speeds["openvino"] = 150.0
    run(here, "m")
    speeds["openvino"] = None
    assert "openvino was not measured. The model 'm' could not be loaded: no." in run(here, "m").stdout
    assert remembered(here) is None
    del speeds["openvino"]
    assert "pip install 'freehold[openvino]'" in run(here, "m").stdout


def test_programs_get_json(here: Here, speeds: Speeds) -> None:
    speeds["openvino"] = 150.0
    told = json.loads(run(here, "m", "--json").stdout)
    assert (told["model"], told["gain"], told["remembered"]) == ("m", 1.5, "openvino")
    assert [engine["engine"] for engine in told["engines"]] == ["llama", "openvino"]


def test_without_a_model_it_is_the_configured_one(here: Here, speeds: Speeds, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        '[[engines]]\nname = "far"\nkind = "remote"\nurl = "http://127.0.0.1:9/v1"\n'
        '[[engines]]\nname = "near"\nkind = "openvino"\nmodels = ["m"]\n'
    )
    assert json.loads(run(here, "--json", "--config", str(config)).stdout)["model"] == "m"


def test_what_only_the_usual_engine_can_is_not_asked_of_the_other(here: Here, speeds: Speeds, tmp_path: Path) -> None:
    speeds["openvino"] = 150.0
    config = tmp_path / "c.toml"
    config.write_text('[[engines]]\nname = "near"\nmodels = ["m"]\nspeculation = "prompt"\n')
    assert json.loads(run(here, "--json", "--config", str(config)).stdout)["remembered"] == "openvino"


def test_what_was_found_is_forgotten(here: Here, speeds: Speeds) -> None:
    speeds["openvino"] = 150.0
    for which in (["m"], []):
        run(here, "m")
        assert run(here, "--forget", *which).stdout == "forgotten: m\n"
        assert remembered(here) is None
    assert run(here, "--forget", "m").stdout == "nothing was remembered\n"
    run(here, "m")
    (here.folders.models / "m.gguf").unlink()
    assert run(here, "--forget", "m").stdout == "forgotten: m\n"
