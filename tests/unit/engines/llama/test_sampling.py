"""Sampling: what the client said holds, what it left out is the model's."""

import pytest

from freehold.engines.llama.sampling import defaults, sampling
from freehold.engines.worker.messages import Generate

ADVICE = {"general.sampling.temp": 0.3, "general.sampling.top_p": 0.8, "general.name": "x"}


def request(
    temperature: float | None = None, top_p: float | None = None, seed: int | None = None, presence: float = 0.0
) -> Generate:
    return Generate(
        id=1,
        tokens=(1,),
        limit=1,
        temperature=temperature,
        top_p=top_p,
        stop=("end",),
        seed=seed,
        presence_penalty=presence,
        frequency_penalty=0.0,
    )


@pytest.mark.parametrize(("header", "expected"), [({}, (0.7, 0.9)), (ADVICE, (0.3, 0.8))])
def test_defaults_are_the_files_or_ours(header: dict[str, object], expected: tuple[float, float]) -> None:
    assert defaults(header) == expected
    settings = sampling(request(), header)
    assert (settings["temperature"], settings["top_p"]) == expected
    assert "top_k" not in settings


@pytest.mark.parametrize(
    ("temperature", "top_p", "expected"), [(0.5, None, (0.5, 0.8)), (None, 0.1, (0.3, 0.1)), (2.0, 1.0, (2.0, 1.0))]
)
def test_what_the_client_says_is_obeyed_without_hidden_cuts(
    temperature: float | None, top_p: float | None, expected: tuple[float, float]
) -> None:
    settings = sampling(request(temperature, top_p), ADVICE)
    assert (settings["temperature"], settings["top_p"], settings["top_k"], settings["min_p"]) == (*expected, 0, 0.0)


@pytest.mark.parametrize("top_p", [None, 0.5])
def test_temperature_zero_takes_the_likeliest_token(top_p: float | None) -> None:
    settings = sampling(request(0.0, top_p), {})
    assert (settings["temperature"], settings["top_k"], settings["top_p"]) == (0.0, 1, 1.0)


@pytest.mark.parametrize(("seed", "expected"), [(7, 7), (-1, 0xFFFFFFFE), (0xFFFFFFFF, 0), (1 << 40, 256)])
def test_every_seed_is_one_that_llama_cpp_takes(seed: int, expected: int) -> None:
    assert sampling(request(seed=seed), {})["seed"] == expected


def test_penalties_look_at_the_whole_text_and_no_seed_is_no_seed() -> None:
    settings = sampling(request(presence=0.5), {})
    assert (settings["presence_penalty"], settings["repeat_last_n"], settings["stop"]) == (0.5, -1, ("end",))
    assert "seed" not in settings
    assert "repeat_last_n" not in sampling(request(), {})
