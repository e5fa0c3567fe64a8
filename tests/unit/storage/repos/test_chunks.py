"""Filters as SQL give what they say, and chunks are those of their project."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.core.filters import Filter, Value
from tests.library import OURS, Library, in_library

KEYS = ("a", "b")
VALUES: tuple[Value, ...] = ("x", "1", 1, 2.5, -3, True, False)
FILES: list[dict[str, Value]] = [
    {},
    *({"a": value} for value in VALUES),
    {"a": "x", "b": 1},
    {"a": 1, "b": "x"},
    {"a": True, "b": 2.5},
]

values = st.sampled_from(VALUES)
numbers = st.sampled_from((1, 2.5, -3))
comparisons = st.one_of(
    st.builds(Filter, type=st.sampled_from(("eq", "ne")), key=st.sampled_from(KEYS), value=values),
    st.builds(Filter, type=st.sampled_from(("gt", "gte", "lt", "lte")), key=st.sampled_from(KEYS), value=numbers),
    st.builds(
        Filter,
        type=st.sampled_from(("in", "nin")),
        key=st.sampled_from(KEYS),
        value=st.lists(values, max_size=3).map(tuple),
    ),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.builds(
        Filter, type=st.sampled_from(("and", "or")), filters=st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=6,
)


def same(one: Value, other: Value) -> bool:
    kinds = [bool if isinstance(value, bool) else str if isinstance(value, str) else float for value in (one, other)]
    return kinds[0] is kinds[1] and one == other


def keeps(narrowed: Filter, attributes: Mapping[str, Value]) -> bool:
    """What a filter means."""
    if narrowed.filters is not None:
        return (all if narrowed.type == "and" else any)(keeps(one, attributes) for one in narrowed.filters)
    there = attributes.get(narrowed.key or "")
    wanted = narrowed.value if isinstance(narrowed.value, tuple) else (narrowed.value,)
    equal = there is not None and any(one is not None and same(there, one) for one in wanted)
    match narrowed.type:
        case "eq" | "in":
            return equal
        case "ne" | "nin":
            return not equal
    if isinstance(there, bool | str) or there is None:
        return False
    (bound,) = wanted
    assert isinstance(bound, int | float)
    return {"gt": there > bound, "gte": there >= bound, "lt": there < bound, "lte": there <= bound}[narrowed.type]


def test_filters_keep_what_they_say() -> None:
    with TemporaryDirectory() as folder:

        async def work(library: Library) -> None:
            store = await library.store()
            for place, attributes in enumerate(FILES):
                await library.put(store, f"{place}.txt", f"text {place}", attributes=attributes)
            state = await library.chunks.state("p", store, None)
            assert state is not None
            order = sorted(state.marks or ())
            runs: list[tuple[Filter, list[int]]] = []

            @settings(max_examples=150, deadline=None, database=None)
            @given(filters)
            def collect(narrowed: Filter) -> None:
                runs.append((narrowed, [n for n, own in zip(order, FILES, strict=True) if keeps(narrowed, own)]))

            collect()
            for narrowed, expected in runs:
                found = await library.chunks.state("p", store, narrowed)
                assert found is not None
                assert sorted(found.kept or ()) == expected, narrowed

        in_library(Path(folder), work)


def test_passages_are_those_of_the_project(tmp_path: Path) -> None:
    async def work(library: Library) -> None:
        store = await library.store()
        file_id = await library.put(store, "a.md", "# One\n\nBrown eggs.")
        state = await library.chunks.state("p", store, None)
        assert state is not None
        (chunk,) = await library.chunks.load(list(state.marks or ()))
        (passage,) = (await library.chunks.passages("p", [chunk.number], library.now[0])).values()
        assert (passage.file_id, passage.filename, passage.store) == (file_id, "a.md", store)
        assert await library.chunks.passages("q", [chunk.number], library.now[0]) == {}
        assert await library.chunks.state("q", store, None) is None
        await library.files.delete(OURS, file_id)
        assert await library.chunks.passages("p", [chunk.number], library.now[0]) == {}
        assert await library.chunks.load(list(state.marks or ())) == []

    in_library(tmp_path, work)
