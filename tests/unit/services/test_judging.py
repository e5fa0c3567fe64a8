"""The chat model as a judge of passages and as a writer of queries."""

import asyncio
from collections.abc import AsyncGenerator
from math import log

import pytest

from freehold.core.catalog import Catalog
from freehold.core.deltas import Delta, Stop, Text, Usage
from freehold.core.errors import EngineBusy
from freehold.core.items import Logprob, TopLogprob
from freehold.core.ports import Load, Served
from freehold.core.principal import Principal
from freehold.core.prompt import Prompt
from freehold.services.judging import ChatReranker, ChatRewriter

WHO = Principal("p", "k")


class Opinionated:
    """Says yes to what tells of eggs, and repeats what it is told to rewrite."""

    load = Load(running=0, waiting=0, limit=1)

    def __init__(self, busy: bool = False, word: str = "yes", logprobs: bool = True) -> None:
        self.models = (Served(name="m", context=99, max_output=9, created=1, logprobs=logprobs),)
        self.busy, self.word, self.most, self.now = busy, word, 0, 0

    async def admit(self, prompt: Prompt) -> Prompt:
        if self.busy:
            raise EngineBusy("later")
        return prompt

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        asked = prompt.turns[-1].text
        if prompt.sampling.logprobs is None:
            yield Text(f'"{asked.upper()}"\n')
        else:
            sure = 0.9 if "eggs" in asked.partition("Passage")[2] else 0.2
            other = TopLogprob(token=" No", logprob=log(1 - sure), bytes=())
            yield Text(self.word, (Logprob(token=self.word, logprob=log(sure), bytes=(), top_logprobs=(other,)),))
        yield Stop("stop", Usage())


def judged(engine: Opinionated, *texts: str) -> list[float] | None:
    catalog = Catalog({"e": engine.models}, {}, "m")
    return asyncio.run(ChatReranker(catalog, {"e": engine}).rank(WHO, "eggs?", texts))


def test_the_score_is_how_sure_it_is_of_yes() -> None:
    assert judged(Opinionated(), "brown eggs", "rain") == pytest.approx([0.9, 0.2])
    assert judged(Opinionated()) == []


def test_few_are_asked_at_once() -> None:
    engine = Opinionated()
    assert len(judged(engine, *["eggs"] * 20) or ()) == 20
    assert engine.most <= 4


@pytest.mark.parametrize("engine", [Opinionated(busy=True), Opinionated(logprobs=False)], ids=["busy", "mute"])
def test_where_it_cannot_say_there_are_no_scores(engine: Opinionated) -> None:
    assert judged(engine, "brown eggs") is None


def test_a_query_is_rewritten_or_stays() -> None:
    async def rewritten(engine: Opinionated) -> str:
        return await ChatRewriter(Catalog({"e": engine.models}, {}, "m"), {"e": engine}).rewrite(WHO, "how many eggs")

    assert asyncio.run(rewritten(Opinionated())) == "HOW MANY EGGS"
    assert asyncio.run(rewritten(Opinionated(busy=True))) == "how many eggs"
