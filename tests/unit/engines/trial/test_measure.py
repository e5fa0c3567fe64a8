import asyncio
from pathlib import Path

import pytest

from freehold.engines.registry import EngineSpec
from freehold.engines.trial.measure import Measured, Plan, gain, measure, plan_for, share


def find(name: str) -> Path:
    raise AssertionError(f"a script has no file {name}")


def measured(first: float, *rates: float) -> Measured:
    return Measured(kind="x", backend="", prompt=900, first_token=first, rates=dict(enumerate(rates, 1)), memory=None)


def test_a_trial_measures_what_its_plan_says() -> None:
    steps = list[None]()
    plan = Plan(prompt=300, streams=(1, 4), tokens=(3, 5), rounds=2)
    spec = EngineSpec(name="s", kind="script", rate=200.0)
    found = asyncio.run(measure(spec, find, plan, lambda: steps.append(None)))
    assert len(steps) == plan.steps == 7
    assert found.kind == "script" and found.memory is None
    assert abs(found.prompt - 300) <= 15
    assert found.first_token > 0 and list(found.rates) == [1, 4]
    assert found.rates[4] > 2 * found.rates[1] > 0


def test_what_is_faster_in_one_thing_and_slower_in_another_is_weighed() -> None:
    assert gain(measured(1.0, 10, 20), measured(0.5, 10, 20)) == pytest.approx(2 ** (1 / 3))
    assert gain(measured(1.0, 10), measured(2.0, 20)) == pytest.approx(1.0)


def test_the_share_is_of_what_the_memory_can_read() -> None:
    assert share(10.0, 1_000_000_000, 20e9) == 0.5


def test_a_slow_model_is_asked_for_less() -> None:
    fast, slow = plan_for(10**8, 20e9, quick=False), plan_for(10**11, 20e9, quick=False)
    assert fast.tokens == (64, 64, 64) and slow.tokens == (8, 8, 8)
    quick = plan_for(10**8, 20e9, quick=True)
    assert quick.rounds == 1 and max(quick.tokens) <= 32
