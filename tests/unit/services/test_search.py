"""Search: what is found, by whom, and what is found no more."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from freehold.core.errors import EngineFailed, Invalid, NotFound
from freehold.core.filters import Filter
from freehold.core.ports import Vectors
from freehold.services.encoders import Encoders
from freehold.services.search import LONGEST_QUERY
from freehold.surfaces.vector_stores import ExpiresAfter, HybridSearch, RankingOptions, SearchBody
from tests.library import OURS, THEIRS, Library, in_library
from tests.papers import pdf

TEXTS = {
    "sea.txt": "The northern harbour freezes every winter between December and March.",
    "hens.txt": "Speckled hens lay about two hundred brown eggs yearly.",
    "rain.txt": "In Spain the rain falls mainly on the plain.",
}


async def filled(library: Library) -> str:
    store = await library.store()
    for name, text in TEXTS.items():
        await library.put(store, name, text, attributes={"name": name[:-4], "size": len(text)})
    return store


def test_the_right_file_is_first(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        assert (await library.found(store, "when does the northern harbour freeze every winter?"))[0] == "sea.txt"
        assert (await library.found(store, "how many eggs do hens lay", most=1)) == ["hens.txt"]
        page = await library.search.page(OURS, store, SearchBody(query=("brown eggs", "rain in Spain")))
        assert {one.filename for one in page.data[:2]} == {"hens.txt", "rain.txt"}
        assert [one.score for one in page.data] == sorted((one.score for one in page.data), reverse=True)
        assert all(0 <= one.score <= 1 for one in page.data)
        assert page.data[0].attributes["name"] in ("hens", "rain")

    in_library(tmp_path, work)


def test_either_half_can_be_searched_alone(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        words = RankingOptions(hybrid_search=HybridSearch(embedding_weight=0, text_weight=1))
        assert await library.found(store, "hens", ranking=words) == ["hens.txt"]
        assert await library.found(store, "zebra", ranking=words) == []
        meaning = RankingOptions(hybrid_search=HybridSearch(embedding_weight=1, text_weight=0))
        assert len(await library.found(store, "zebra", ranking=meaning)) == 3

    in_library(tmp_path, work)


def test_filters_and_thresholds_narrow_it_down(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        rain = Filter(type="eq", key="name", value="rain")
        assert await library.found(store, "harbour winter", filters=rain) == ["rain.txt"]
        assert len(await library.found(store, "harbour", filters=Filter(type="ne", key="name", value="rain"))) == 2
        assert await library.found(store, "harbour winter", ranking=RankingOptions(score_threshold=0.9)) == ["sea.txt"]

    in_library(tmp_path, work)


def test_what_is_deleted_is_found_no_more_at_once(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        again = await library.put(store, "eggs.txt", "Brown eggs of speckled hens.")
        assert {"eggs.txt", "hens.txt"} <= set(await library.found(store, "brown eggs"))
        await library.inside.delete(OURS, store, again)
        assert "eggs.txt" not in await library.found(store, "brown eggs")
        entry = next(
            one for one in (await library.files.list(OURS, None, None, 10, "asc")).data if "hens" in one.filename
        )
        await library.files.delete(OURS, entry.id)
        assert "hens.txt" not in await library.found(store, "brown eggs")
        await library.stores.delete(OURS, store)
        with pytest.raises(NotFound):
            await library.found(store, "brown eggs")

    in_library(tmp_path, work)


def test_a_number_that_is_used_again_is_no_old_chunk(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        first = await library.put(store, "old.txt", "Speckled hens lay brown eggs.")
        assert await library.found(store, "hens") == ["old.txt"]
        await library.inside.delete(OURS, store, first)
        await library.put(store, "new.txt", "The harbour freezes.")
        words = RankingOptions(hybrid_search=HybridSearch(embedding_weight=0, text_weight=1))
        assert await library.found(store, "hens", ranking=words) == []
        assert await library.found(store, "harbour", ranking=words) == ["new.txt"]

    in_library(tmp_path, work)


def test_another_project_finds_nothing(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        with pytest.raises(NotFound):
            await library.search.page(THEIRS, store, SearchBody(query="eggs"))

    in_library(tmp_path, work)


def test_several_stores_are_searched_as_one(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        one, two = await library.store(), await library.store()
        await library.put(one, "a.txt", "Brown eggs.")
        await library.put(two, "b.txt", "Brown bread and brown eggs for breakfast.")
        hits = await library.search.find(OURS, [one, two], "brown eggs", None, None, 10, False)
        assert {hit.store for hit in hits} == {one, two}

    in_library(tmp_path, work)


@pytest.mark.parametrize(
    ("query", "ranking", "param"),
    [
        (" ", None, "query"),
        ("x" * (LONGEST_QUERY + 1), None, "query"),
        (
            "x",
            RankingOptions(hybrid_search=HybridSearch(embedding_weight=0, text_weight=0)),
            "ranking_options.hybrid_search",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, query: str, ranking: RankingOptions | None, param: str) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        with pytest.raises(Invalid) as caught:
            await library.found(store, query, ranking=ranking)
        assert caught.value.param == param

    in_library(tmp_path, work)


def test_a_store_that_has_expired_is_not_searched(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store(expires_after=ExpiresAfter(anchor="last_active_at", days=1))
        await library.put(store, "a.txt", "Brown eggs.")
        library.now[0] += 23 * 3600
        assert await library.found(store, "eggs") == ["a.txt"]
        library.now[0] += 23 * 3600
        assert await library.found(store, "eggs") == ["a.txt"]
        library.now[0] += 25 * 3600
        with pytest.raises(Invalid, match="has expired"):
            await library.found(store, "eggs")
        await library.stores.sweep(library.now[0])
        shown = await library.stores.retrieve(OURS, store)
        assert (shown.status, shown.file_counts.total) == ("expired", 0)

    in_library(tmp_path, work)


def test_a_store_whose_model_is_gone_says_so(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        library.encoders.withdraw("script-embedding")
        with pytest.raises(EngineFailed, match="'script-embedding' of the vector store is not served"):
            await library.found(store, "eggs")

    in_library(tmp_path, work)


def test_vectors_of_another_length_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        whole = Encoders.vectors

        async def halves(*asked: Any, **more: Any) -> Vectors:
            found = await whole(*asked, **more)
            return Vectors(tuple(row[: len(row) // 2] for row in found.rows), found.tokens)

        monkeypatch.setattr(Encoders, "vectors", halves)
        for name in ("", "new.txt"):
            if name:
                await library.put(store, name, "More brown eggs.")
            with pytest.raises(Invalid, match="made with another model") as caught:
                await library.found(store, "eggs")
            assert caught.value.code == "embedding_model_changed"
        only_words = RankingOptions(hybrid_search=HybridSearch(embedding_weight=0, text_weight=1))
        assert set(await library.found(store, "brown eggs", ranking=only_words)) == {"hens.txt", "new.txt"}

    in_library(tmp_path, work)


def test_a_passage_says_on_which_page_it_begins(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        await library.put(store, "two.pdf", pdf("Speckled hens.", "Brown eggs."))
        page = await library.search.page(OURS, store, SearchBody(query="eggs"))
        assert [one.page for one in page.data] == [1]
        await library.put(store, "a.txt", "Brown hens.")
        page = await library.search.page(OURS, store, SearchBody(query="hens"))
        assert [one.page for one in page.data if one.filename == "a.txt"] == [UNSET]

    in_library(tmp_path, work)


class Backwards:
    """A reranker that prefers what came last."""

    async def rank(self, who: object, query: str, texts: list[str]) -> list[float] | None:
        return None if query == "busy" else [place / len(texts) for place in range(len(texts))]


def test_a_reranker_has_the_last_word_unless_it_is_left_out(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        before = await library.found(store, "harbour winter")
        library.search._reranker = Backwards()  # type: ignore[assignment]
        assert await library.found(store, "harbour winter") == before[::-1]
        assert await library.found(store, "harbour winter", ranking=RankingOptions(ranker="none")) == before
        assert await library.found(store, "busy")

    in_library(tmp_path, work)


def test_many_values_and_odd_weights_are_searched_like_others(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await filled(library)
        many = Filter(type="in", key="name", value=("rain", True, 2.5, *(str(number) for number in range(997))))
        assert await library.found(store, "harbour", filters=many) == ["rain.txt"]
        for weight in (5e-324, 1.7e308):
            odd = RankingOptions(hybrid_search=HybridSearch(embedding_weight=weight, text_weight=weight))
            assert (await library.found(store, "harbour freezes", ranking=odd))[0] == "sea.txt"

    in_library(tmp_path, work)
