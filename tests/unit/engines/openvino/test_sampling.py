from typing import Any

from freehold.engines.openvino.sampling import sampling
from freehold.engines.worker.messages import Generate


def settings(**given: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"temperature": None, "top_p": None, "seed": None, "stop": ()}
    penalties = {"presence_penalty": 0.0, "frequency_penalty": 0.0}
    return sampling(Generate(id=1, tokens=(1,), limit=8, **(usual | penalties | given)), 0.7, 0.9)


def test_without_settings_the_models_own_hold() -> None:
    told = settings()
    assert (told["do_sample"], told["temperature"], told["top_p"]) == (True, 0.7, 0.9)


def test_a_temperature_of_zero_is_no_chance_at_all() -> None:
    told = settings(temperature=0.0, top_p=0.5)
    assert not told["do_sample"] and "temperature" not in told and "rng_seed" not in told


def test_a_temperature_of_almost_zero_is_none_either() -> None:
    told = settings(temperature=1e-5)
    assert not told["do_sample"] and "temperature" not in told


def test_what_is_asked_for_is_obeyed() -> None:
    told = settings(temperature=1.5, top_p=0.0, seed=-1, presence_penalty=0.5, frequency_penalty=-1.0)
    assert told["temperature"] == 1.5 and 0 < told["top_p"] < 1e-3
    assert told["rng_seed"] == (1 << 63) - 1
    assert (told["presence_penalty"], told["frequency_penalty"], told["repetition_penalty"]) == (0.5, -1.0, 1.0)


def test_without_a_seed_each_answer_has_its_own() -> None:
    assert len({settings()["rng_seed"] for _ in range(8)}) > 1
