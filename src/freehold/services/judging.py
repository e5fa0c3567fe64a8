"""The chat model as a judge of passages, and as a writer of queries, for searches."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from math import exp

from freehold.core.catalog import Catalog, Entry
from freehold.core.deltas import Text
from freehold.core.errors import Fault
from freehold.core.items import Logprob
from freehold.core.ports import Engine
from freehold.core.principal import Principal
from freehold.core.prompt import Caching, Prompt, Sampling, Turn

_log = logging.getLogger(__name__)
_AT_ONCE = 4
_LONGEST = 4_000
_ALTERNATIVES = 5
_JUDGE = "You judge search results. Answer with one word, yes or no: does the passage hold the answer to the query?"
_WRITE = (
    "Rewrite the question as a short search query: the words that a text with the answer would hold. Answer with the "
    "query alone."
)


class ChatReranker:
    """Asks the chat model of each passage whether it answers the query; the score is how sure it is of yes.

    This is the pointwise relevance generation of Liang et al. 2022 (HELM), by the probabilities of the answer's token.
    """

    def __init__(self, catalog: Catalog, engines: Mapping[str, Engine]) -> None:
        self._catalog = catalog
        self._engines = engines

    async def rank(self, who: Principal, query: str, texts: Sequence[str]) -> list[float] | None:
        """Return a score from 0 to 1 for each of the texts; None where the model cannot say it now."""
        entry = self._catalog.find(self._catalog.default)
        if entry is None or not entry.served.logprobs:
            return None
        places = asyncio.Semaphore(_AT_ONCE)

        async def judged(text: str) -> float | None:
            turns = (
                Turn("system", _JUDGE),
                Turn("user", f"Query: {query}\n\nPassage: {text[:_LONGEST]}\n\nyes or no?"),
            )
            sampling = Sampling(temperature=0.0, max_tokens=1, logprobs=_ALTERNATIVES)
            async with places:
                return _certainty(await _said(self._engines[entry.engine], entry, who, turns, sampling))

        tasks: list[asyncio.Task[float | None]] = []
        try:
            async with asyncio.TaskGroup() as group:
                tasks += [group.create_task(judged(text)) for text in texts]
        except* Fault as faults:
            _log.warning("passages were not ranked again: %s", faults.exceptions[0])
        scores = [None if task.cancelled() or task.exception() else task.result() for task in tasks]
        known = [score for score in scores if score is not None]
        return known if len(known) == len(texts) else None


class ChatRewriter:
    """Has the chat model make a question into what is searched for."""

    def __init__(self, catalog: Catalog, engines: Mapping[str, Engine]) -> None:
        self._catalog = catalog
        self._engines = engines

    async def rewrite(self, who: Principal, query: str) -> str:
        """Return a better query, or the same where the model cannot answer now."""
        entry = self._catalog.find(self._catalog.default)
        if entry is None:
            return query
        sampling = Sampling(temperature=0.0, max_tokens=48)
        try:
            turns = (Turn("system", _WRITE), Turn("user", query))
            pieces = await _said(self._engines[entry.engine], entry, who, turns, sampling)
        except Fault as fault:
            _log.warning("a query was not rewritten: %s", fault)
            return query
        return " ".join("".join(piece.text for piece in pieces).split()).strip("\"'`") or query


async def _said(
    engine: Engine, entry: Entry, who: Principal, turns: tuple[Turn, ...], sampling: Sampling
) -> list[Text]:
    caching = Caching(owner=who.project)
    prompt = await engine.admit(Prompt(model=entry.served.name, turns=turns, sampling=sampling, caching=caching))
    async with aclosing(engine.generate(prompt)) as deltas:
        return [delta async for delta in deltas if isinstance(delta, Text)]


def _certainty(pieces: Sequence[Text]) -> float | None:
    """How much of the probability of yes and no is that of yes; None where it says neither."""
    first = next((piece.logprobs[0] for piece in pieces if piece.logprobs), None)
    if first is None:
        return None
    yes, no = _mass(first, "yes"), _mass(first, "no")
    return yes / (yes + no) if yes + no else None


def _mass(token: Logprob, word: str) -> float:
    every = {one.token: one.logprob for one in (token, *token.top_logprobs)}
    return sum(exp(logprob) for text, logprob in every.items() if text.strip().lower() == word)
