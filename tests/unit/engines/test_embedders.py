"""The registry of embedders."""

import asyncio
from pathlib import Path

import pytest

from freehold.engines.embedders import BUILT_IN, EmbedderSpec, open_embedder


def nowhere(name: str) -> Path:
    raise AssertionError(f"asked for {name}")


def test_a_script_embedder_needs_nothing() -> None:
    async def main() -> None:
        async with open_embedder(EmbedderSpec(name="e", kind="script"), nowhere) as embedder:
            (model,) = embedder.models
            vectors = await embedder.embed(model.name, ["hello"])
            assert (len(vectors.rows[0]), vectors.tokens) == (4 * model.dimensions, 1)

    asyncio.run(main())


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=f"embedder 'e': unknown kind 'x' .*{', '.join(sorted(BUILT_IN))}"):
        open_embedder(EmbedderSpec(name="e", kind="x"), nowhere)
