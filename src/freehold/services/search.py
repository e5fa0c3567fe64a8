"""Search in vector stores: by meaning and by words, fused."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import UNSET, Struct

from freehold.core.errors import EngineFailed, Invalid
from freehold.core.filters import Filter, Value
from freehold.core.ids import Clock
from freehold.core.ports import Reranker
from freehold.core.principal import Principal
from freehold.services.encoders import Encoders
from freehold.services.indexes import Indexes
from freehold.services.vector_stores import active, missing, read
from freehold.storage.repos.chunks import ChunkRows, Passage, State
from freehold.storage.repos.vector_stores import StoreRows, check_alive
from freehold.storage.vectors.index import Ranked, StoreIndex
from freehold.surfaces.filters import check
from freehold.surfaces.vector_stores import RankingOptions, SearchBody, SearchContent, SearchPage, SearchResult
from freehold.tools.terms import terms

USUAL_RESULTS = 10
LONGEST_QUERY = 4_096
FUSION = 10
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): how little the first ranks stand out."""
USUAL_WEIGHTS = (3.0, 1.0)
"""Those of meaning and of words where the request has none; chosen with FUSION by `benches/retrieval.py`."""
DEEPEST = 100
"""How many chunks of each half are fused."""
RERANKED = 20
_TOUCH_SECONDS = 60.0

Place = tuple[str, int]
"""The store and number of a chunk."""
Indexed = tuple[State, StoreIndex]


class Rewriter(Protocol):
    """Makes a question into what is searched for."""

    async def rewrite(self, who: Principal, query: str) -> str:
        """Return a better query, or the same where that cannot be had now."""
        ...


class Hit(Struct, frozen=True, kw_only=True):
    """A passage that was found; `score` is from 0 to 1."""

    store: str
    file_id: str
    filename: str
    score: float
    attributes: dict[str, Value]
    text: str
    page: int | None


class Search:
    """Searches the stores of every project, each for its own only."""

    def __init__(
        self,
        chunks: ChunkRows,
        stores: StoreRows,
        encoders: Encoders,
        indexes: Indexes,
        clock: Clock,
        reranker: Reranker | None = None,
        rewriter: Rewriter | None = None,
    ) -> None:
        self._chunks = chunks
        self._stores = stores
        self._encoders = encoders
        self._indexes = indexes
        self._clock = clock
        self._reranker = reranker
        self._rewriter = rewriter

    async def page(self, who: Principal, store_id: str, body: SearchBody) -> SearchPage:
        """Answer `vector_stores.search`. Raises NotFound, Invalid, and what embedding raises."""
        if body.filters is not None:
            check(body.filters, "filters")
        queries = (body.query,) if isinstance(body.query, str) else body.query
        _check(queries, body.ranking_options or RankingOptions())
        if body.rewrite_query and self._rewriter is not None:
            queries = tuple([await self._rewriter.rewrite(who, query) for query in queries])
        most = body.max_num_results or USUAL_RESULTS
        found = await self.find(who, (store_id,), queries, body.filters, body.ranking_options, most, False)
        data = tuple(
            SearchResult(
                file_id=one.file_id,
                filename=one.filename,
                score=one.score,
                attributes=one.attributes,
                content=(SearchContent(one.text),),
                page=UNSET if one.page is None else one.page,
            )
            for one in found
        )
        return SearchPage(search_query=queries, data=data)

    async def find(
        self,
        who: Principal,
        stores: Sequence[str],
        query: str | Sequence[str],
        filters: Filter | None,
        ranking: RankingOptions | None,
        most: int,
        rewrite: bool,
    ) -> list[Hit]:
        """Return the passages of stores that fit one of the queries, the best first, at most `most`.

        Raises NotFound for a store that is not there, Invalid for one that has expired or whose model is another one
        now, and for a query that is empty or too long, and what embedding raises.
        """
        ranking = ranking or RankingOptions()
        queries = [query] if isinstance(query, str) else list(query)
        _check(queries, ranking)
        if rewrite and self._rewriter is not None:
            queries = [await self._rewriter.rewrite(who, one) for one in queries]
        states = [await self._state(who, store_id, filters) for store_id in dict.fromkeys(stores)]
        indexes = [(state, await self._indexes.current(state)) for state in states]
        ranked: dict[Place, float] = {}
        for one in queries:
            vectors = await self._vectors(states, one, ranking)
            _check_widths(indexes, vectors)
            near, same = await asyncio.gather(
                asyncio.to_thread(_near, indexes, vectors), asyncio.to_thread(_same, indexes, one, ranking)
            )
            for place, score in _fused(near, same, ranking).items():
                ranked[place] = max(score, ranked.get(place, 0.0))
        best = sorted(ranked.items(), key=lambda item: (-item[1], item[0]))[: max(most, RERANKED)]
        hits = await self._hits(who, best)
        if self._reranker is not None and ranking.ranker != "none":
            hits = await self._reranked(self._reranker, who, " ".join(queries), hits)
        return [hit for hit in hits if hit.score >= ranking.score_threshold][:most]

    async def _state(self, who: Principal, store_id: str, filters: Filter | None) -> State:
        known = self._indexes.version(store_id)
        state = await self._chunks.state(who.project, store_id, filters, known)
        if state is None:
            raise missing(store_id)
        now = self._clock()
        check_alive(state.row, now)
        if now - read(state.row).last_active_at >= _TOUCH_SECONDS:
            await self._stores.update(who.project, store_id, lambda row: active(row, now))
        return state

    async def _vectors(self, states: Sequence[State], query: str, ranking: RankingOptions) -> Mapping[str, bytes]:
        """The query's vector by each of the models that the stores' texts were embedded with."""
        if ranking.hybrid_search is not None and not ranking.hybrid_search.embedding_weight:
            return {}
        found: dict[str, bytes] = {}
        for model in {state.row.model for state in states}:
            if self._encoders.find(model) is None:
                raise EngineFailed(f"The embedding model '{model}' of the vector store is not served any more.")
            try:
                (found[model],) = (await self._encoders.vectors(model, (query,), "query")).rows
            except Invalid as fault:
                raise Invalid(f"Invalid 'query': {fault.message}", fault.code, "query") from fault
        return found

    async def _hits(self, who: Principal, best: Sequence[tuple[Place, float]]) -> list[Hit]:
        """Read the passages; what was deleted meanwhile is not there."""
        numbers = [number for (_, number), _ in best]
        passages = await self._chunks.passages(who.project, numbers, self._clock()) if numbers else {}
        return [
            _hit(passages[number], score)
            for (store, number), score in best
            if number in passages and passages[number].store == store
        ]

    async def _reranked(self, reranker: Reranker, who: Principal, query: str, hits: list[Hit]) -> list[Hit]:
        """The first RERANKED in the order in which the reranker sees them, the others behind."""
        first, rest = hits[:RERANKED], hits[RERANKED:]
        scores = await reranker.rank(who, query, [hit.text for hit in first])
        if scores is None:
            return hits
        again = [msgspec.structs.replace(hit, score=score) for hit, score in zip(first, scores, strict=True)]
        lowest = min(scores, default=0.0)
        behind = [msgspec.structs.replace(hit, score=hit.score * lowest) for hit in rest]
        return sorted(again, key=lambda hit: -hit.score) + behind


def _near(indexes: Iterable[Indexed], vectors: Mapping[str, bytes]) -> list[Place]:
    """What is near the query in meaning, the nearest first."""
    if not vectors:
        return []
    found = ((state, index.nearest(vectors[state.row.model], DEEPEST, state.kept)) for state, index in indexes)
    return _best(found)


def _same(indexes: Iterable[Indexed], query: str, ranking: RankingOptions) -> list[Place]:
    """What has the same words as the query, the likest first."""
    weights = ranking.hybrid_search
    sought = terms(query) if weights is None or weights.text_weight else []
    if not sought:
        return []
    return _best((state, index.matching(sought, DEEPEST, state.kept)) for state, index in indexes)


def _best(found: Iterable[tuple[State, Ranked]]) -> list[Place]:
    placed = [((state.row.id, number), score) for state, ranked in found for number, score in ranked]
    return [place for place, _ in sorted(placed, key=lambda item: (-item[1], item[0]))[:DEEPEST]]


def _fused(near: Sequence[Place], same: Sequence[Place], ranking: RankingOptions) -> dict[Place, float]:
    """Fuse the two rankings by rank; the best score possible is 1."""
    weights = ranking.hybrid_search
    by_meaning, by_words = USUAL_WEIGHTS if weights is None else (weights.embedding_weight, weights.text_weight)
    larger = max(by_meaning, by_words)
    most = (by_meaning / larger + by_words / larger) / (FUSION + 1)
    scores: dict[Place, float] = {}
    for weight, found in ((by_meaning / larger, near), (by_words / larger, same)):
        for rank, place in enumerate(found, start=1):
            scores[place] = scores.get(place, 0.0) + weight / (FUSION + rank) / most
    return scores


def _check_widths(indexes: Iterable[Indexed], vectors: Mapping[str, bytes]) -> None:
    """Refuse to compare vectors of different lengths: the model behind a name is another one now."""
    for state, index in indexes:
        width = len(vectors.get(state.row.model, b"")) // 4
        if width and index.widths - {width}:
            raise Invalid(
                f"Vector store '{state.row.id}' was made with another model than the '{state.row.model}' of now, whose "
                f"vectors have {width} dimensions. Put its files into a new vector store.",
                "embedding_model_changed",
                "vector_store_id",
            )


def _hit(passage: Passage, score: float) -> Hit:
    return Hit(
        store=passage.store,
        file_id=passage.file_id,
        filename=passage.filename,
        score=min(1.0, score),
        attributes=msgspec.json.decode(passage.attributes),
        text=passage.text,
        page=passage.page,
    )


def _check(queries: Sequence[str], ranking: RankingOptions) -> None:
    for query in queries:
        if not query.strip():
            raise Invalid("Invalid 'query': it cannot be empty.", "empty_string", "query")
        if len(query) > LONGEST_QUERY:
            raise Invalid(
                f"Invalid 'query': string too long. Expected a string with maximum length {LONGEST_QUERY}, but got a "
                f"string with length {len(query)} instead.",
                "string_above_max_length",
                "query",
            )
    weights = ranking.hybrid_search
    if weights is not None and not (weights.embedding_weight or weights.text_weight):
        path = "ranking_options.hybrid_search"
        raise Invalid(f"Invalid '{path}': one of the weights must be more than 0.", "invalid_value", path)
