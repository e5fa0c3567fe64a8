import importlib.util
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from msgspec.structs import replace

from freehold.cli import choice as module
from freehold.cli.choice import Choice, choose, run_choice
from freehold.cli.context import Here
from freehold.config import Folders, Settings
from freehold.core.errors import EngineFailed
from freehold.engines.registry import EngineSpec
from freehold.engines.trial.machine import processor
from freehold.engines.trial.preferences import Preference, Preferences, key_of

FOUND = Preference(model="m", kind="openvino", gain=1.63, machine=processor(), day="2026-11-27")


@pytest.fixture
def here(tmp_path: Path) -> Here:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.gguf").write_bytes(b"GGUF")
    return Here({}, Folders(tmp_path, tmp_path / "models"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    def set_to(there: bool) -> None:
        found = ModuleSpec(module.PACKAGE, None) if there else None
        real = importlib.util.find_spec
        monkeypatch.setattr(module, "find_spec", lambda name: found if name == module.PACKAGE else real(name))

    return set_to


def keep(here: Here, preference: Preference) -> None:
    Preferences(here.folders.data).keep(key_of(here.folders.models / "m.gguf"), preference)


def kinds(choice: Choice) -> list[str]:
    return [spec.kind for spec in choice.settings.engines]


def test_without_a_measurement_it_is_the_usual_engine(here: Here) -> None:
    choice = choose(here, Settings(), None, "m", None)
    assert kinds(choice) == ["llama"] and choice.instead is None and not choice.counts
    assert choice.why.startswith("engine local (llama) with m: the default; `freehold bench`")


def test_a_remembered_engine_is_taken_and_says_what_it_refuses(here: Here, installed: Callable[[bool], None]) -> None:
    installed(True)
    keep(here, FOUND)
    choice = choose(here, Settings(), None, "m", None)
    assert choice.settings.engines == (EngineSpec(name="local", kind="openvino", models=("m",)),)
    assert choice.instead is not None and choice.instead.engines[0].kind == "llama"
    assert "1.63 times as fast as llama by `freehold bench` of 2026-11-27" in choice.why
    assert "refuses JSON mode" in choice.why and choice.counts


def test_what_the_person_said_overrules_what_was_found(here: Here, installed: Callable[[bool], None]) -> None:
    installed(True)
    keep(here, FOUND)
    choice = choose(here, Settings(), "llama", "m", None)
    assert kinds(choice) == ["llama"] and choice.why == "engine llama with m: as --engine says"
    configured = Settings(engines=(EngineSpec(name="mine", models=("m",)),))
    choice = choose(here, configured, None, None, None)
    assert kinds(choice) == ["llama"] and choice.why == "engine mine (llama) with m: as configured"


@pytest.mark.parametrize(
    ("found", "there", "why"),
    [
        (FOUND, False, "preferred openvino: it is not installed any more (pip install 'freehold[openvino]')"),
        (replace(FOUND, machine="a Cray"), True, "that was measured on a Cray"),
        (replace(FOUND, kind="abacus"), True, "no engine of kind 'abacus'"),
        (replace(FOUND, kind="llama", gain=1.05), True, "openvino was 1.05 times as fast"),
    ],
)
def test_what_cannot_be_taken_is_the_usual_one_with_the_reason(
    here: Here, installed: Callable[[bool], None], found: Preference, there: bool, why: str
) -> None:
    installed(there)
    keep(here, found)
    choice = choose(here, Settings(), None, "m", None)
    assert kinds(choice) == ["llama"] and choice.instead is None
    assert why in choice.why


def test_a_model_that_sees_keeps_the_engine_that_reads_its_projector(
    here: Here, installed: Callable[[bool], None]
) -> None:
    installed(True)
    keep(here, FOUND)
    (here.folders.models / "mmproj-m.gguf").write_bytes(b"GGUF")
    choice = choose(here, Settings(), None, "m", None)
    assert kinds(choice) == ["llama"] and "projector" in choice.why and choice.counts


def test_a_damaged_memory_is_said_and_not_obeyed(here: Here) -> None:
    Preferences(here.folders.data).path.write_text("{")
    choice = choose(here, Settings(), None, "m", None)
    assert kinds(choice) == ["llama"] and "bench.json is damaged" in choice.why


def test_an_engine_that_does_not_start_gives_way(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    usual = Settings(engines=(EngineSpec(name="local", models=("m",)),))
    other = Settings(engines=(EngineSpec(name="local", kind="openvino", models=("m",)),))
    choice = Choice(settings=other, find=Path, why="because", instead=usual)
    ran = list[Settings]()

    def run(settings: Settings, tell: Callable[[str], None]) -> None:
        ran.append(settings)
        if settings is other:
            raise EngineFailed("It cannot be read.")
        tell("ready")

    run_choice(choice, run)
    assert ran == [other, usual]
    first, fallen, last = capsys.readouterr().out.splitlines()
    assert (first, last) == ("because", "ready")
    assert fallen.startswith("engine local (llama) with m:") and fallen.endswith("does not start. It cannot be read.")


def test_an_engine_that_fails_later_does_not_give_way(here: Here) -> None:
    usual, other = Settings(), Settings(engines=(EngineSpec(name="local", kind="openvino"),))

    def run(settings: Settings, tell: Callable[[str], None]) -> None:
        tell("ready")
        raise EngineFailed("It broke.")

    for choice in (
        Choice(settings=other, find=Path, why="because", instead=usual),
        Choice(settings=usual, find=Path, why="because"),
    ):
        with pytest.raises(EngineFailed, match="It broke"):
            run_choice(choice, run)
