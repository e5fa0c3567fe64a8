"""The registry: kinds by name, their settings checked."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from freehold.engines.registry import EngineSpec, open_engine


def find(name: str) -> Path:
    raise AssertionError(f"{name} was looked for")


def test_opens_an_engine_by_its_kind() -> None:
    async def main() -> None:
        async with open_engine(EngineSpec(name="s", kind="script", models=("a", "b")), find) as engine:
            assert [served.name for served in engine.models] == ["a", "b"]
            assert engine.load.limit == 264

    asyncio.run(main())


def test_names_the_known_kinds_for_an_unknown_one() -> None:
    with pytest.raises(ValueError, match=r"engine 'x': unknown kind 'lama' \(known: .*llama, .*script"):
        open_engine(EngineSpec(name="x", kind="lama"), find)


def test_a_llama_engine_needs_a_model() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=r"engine 'x': .* needs the names of its models"):
            async with open_engine(EngineSpec(name="x"), find):
                pass

    asyncio.run(main())


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (EngineSpec(name="x", urls=("http://a/v1",)), "'urls' is for engines of kind 'remote', not 'llama'"),
        (EngineSpec(name="x", kind="openvino", draft="m"), "'draft' is for engines of kind 'llama', not 'openvino'"),
        (EngineSpec(name="x", kind="remote", speculation="prompt"), "'speculation' is for engines of kind 'llama'"),
        (EngineSpec(name="x", kind="script", threads=2), "'threads' is for engines of kind 'llama' and 'openvino'"),
        (EngineSpec(name="x", kind="openvino", kept="k"), "'kept' is for engines of kind 'llama', not 'openvino'"),
        (EngineSpec(name="x", rate=2.0), "'rate' is for engines of kind 'script', not 'llama'"),
    ],
)
def test_a_setting_that_the_kind_would_ignore_is_refused(spec: EngineSpec, said: str) -> None:
    with pytest.raises(ValueError, match=f"engine 'x': {said}"):
        open_engine(spec, find)


@pytest.mark.parametrize(
    ("setting", "path"),
    [({"slots": 0}, "slots"), ({"rate": -1.0}, "rate"), ({"models": [""]}, "models"), ({"contxt": 1}, "contxt")],
)
def test_settings_out_of_range_are_refused_with_their_path(setting: dict[str, object], path: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=path):
        msgspec.convert({"name": "x"} | setting, EngineSpec)
