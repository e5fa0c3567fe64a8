"""Guessing ahead in the embedded engine: the same answers, and what is told of predictions."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from openai import BadRequestError

from freehold.core.errors import EngineFailed
from freehold.core.ports import Engine
from freehold.core.prompt import Prompt, Sampling, Turn
from freehold.engines.registry import EngineSpec, SpeculationName, open_engine
from tests.asking import said
from tests.servers import running_server, strict_client

CODE = """class Stack:
    def __init__(self, limit=100):
        self.items = []
        self.limit = limit

    def push(self, item):
        if len(self.items) >= self.limit:
            raise OverflowError("the stack is full")
        self.items.append(item)
        return self

    def pop(self):
        if not self.items:
            raise IndexError("the stack is empty")
        return self.items.pop()
"""
ASKED = f"Repeat this file exactly. Answer with the file only.\n\n```python\n{CODE}```"
GREEDY = Sampling(temperature=0.0, max_tokens=90)


@asynccontextmanager
async def engine(
    path: Path, speculation: SpeculationName = "prompt", draft: Path | None = None
) -> AsyncGenerator[Engine, None]:
    spec = EngineSpec(
        name="local",
        models=("smol",),
        slots=3,
        context=1024,
        pool=3072,
        speculation=speculation,
        draft=draft and "draft",
    )
    files = {"smol": path, "draft": draft or path}
    async with open_engine(spec, files.__getitem__) as opened:
        yield opened


def prompt(predicted: str, sampling: Sampling = GREEDY, text: str = ASKED) -> Prompt:
    return Prompt(model="smol", turns=(Turn("user", text),), sampling=sampling, predicted=predicted)


def test_the_answer_is_the_same_and_the_prediction_is_counted(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2, "none") as plain:
            answer, stop = await said(plain, prompt(CODE))
            assert (stop.usage.accepted, stop.usage.rejected) == (0, 0)
        async with engine(smollm2) as ahead:
            (served,) = ahead.models
            assert not served.logprobs
            guessed, stop = await said(ahead, prompt(CODE))
            assert guessed == answer
            assert stop.usage.output // 2 < stop.usage.accepted < stop.usage.output
            assert stop.usage.rejected >= 0
            for other in ("", "Nothing of this is in the answer."):
                guessed, stop = await said(ahead, prompt(other))
                assert (guessed, stop.usage.accepted, stop.usage.rejected) == (answer, 0, 0)

    asyncio.run(main())


def test_limits_stop_sequences_and_others_beside_it(smollm2: Path) -> None:
    async def main() -> None:
        async with engine(smollm2) as ahead:
            whole, _ = await said(ahead, prompt(CODE))
            for limit in (1, 2, 17, 40):
                cut, stop = await said(ahead, prompt(CODE, Sampling(temperature=0.0, max_tokens=limit)))
                assert whole.startswith(cut)
                assert stop.usage.output == limit
                assert stop.usage.accepted <= limit
            end = "raise OverflowError"
            stopped, stop = await said(ahead, prompt(CODE, Sampling(temperature=0.0, max_tokens=90, stop=(end,))))
            assert stopped == whole.partition(end)[0]
            assert stop.usage.accepted <= stop.usage.output
            story = prompt(CODE, GREEDY, "Write a story about the sea.")
            many = await asyncio.gather(*(said(ahead, one) for one in (prompt(CODE), story, prompt(CODE), story)))
            assert [stop.usage.accepted > 0 for _, stop in many] == [True, False, True, False]

    asyncio.run(main())


def test_a_draft_model_guesses_and_the_answers_are_the_same(smollm2: Path) -> None:
    """The model itself is the draft: it is the one model here that has its tokens."""
    asked = (prompt(CODE), prompt("", text="Write a story."))

    async def main() -> None:
        async with engine(smollm2, "none") as plain:
            answer, _ = await said(plain, prompt(CODE))
        for speculation in ("none", "prompt"):
            async with engine(smollm2, speculation, draft=smollm2) as ahead:
                assert not ahead.models[0].logprobs
                guessed, _ = await said(ahead, prompt(CODE))
                assert guessed == answer
                (again, stop), (_, other) = await asyncio.gather(*(said(ahead, one) for one in asked))
                assert again == answer
                assert stop.usage.cached == stop.usage.input - 1
                assert (stop.usage.accepted > 0) == (speculation == "prompt")
                assert other.usage.accepted == 0
                cut, stop = await said(ahead, prompt(CODE, Sampling(temperature=0.0, max_tokens=17)))
                assert answer.startswith(cut)
                assert stop.usage.output == 17

    asyncio.run(main())


def test_a_draft_model_with_other_tokens_is_refused(smollm2: Path, tiny_model: Path) -> None:
    async def main() -> None:
        with pytest.raises(EngineFailed, match="the target and draft vocabs are not compatible"):
            async with engine(smollm2, draft=tiny_model):
                pass

    asyncio.run(main())


def test_over_http(smollm2: Path, tmp_path: Path) -> None:
    settings = tmp_path / "freehold.toml"
    settings.write_text(f'[[engines]]\nname = "local"\nmodels = ["{smollm2}"]\nslots = 2\nspeculation = "prompt"\n')
    with running_server(tmp_path / "server", "--config", str(settings)) as server:
        client = strict_client(server)
        answer = client.chat.completions.create(
            model="gpt-4.1",
            messages=[{"role": "user", "content": ASKED}],
            prediction={"type": "content", "content": CODE},
            temperature=0,
            max_completion_tokens=90,
        )
        assert answer.usage is not None
        told = answer.usage.completion_tokens_details
        assert told is not None
        assert told.accepted_prediction_tokens is not None
        assert 0 < told.accepted_prediction_tokens < answer.usage.completion_tokens
        with pytest.raises(BadRequestError, match="does not tell log-probabilities"):
            client.chat.completions.create(
                model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}], logprobs=True, max_completion_tokens=4
            )
        biased = client.chat.completions.create(
            model="gpt-4.1",
            messages=[{"role": "user", "content": "Hi"}],
            logit_bias={"1000": -100},
            max_completion_tokens=4,
        )
        assert biased.choices[0].message.content
