"""The vocabulary of the real embedding models, as it is fetched."""

import asyncio
from pathlib import Path

from freehold.engines.embedding.cl100k import Cl100k


def test_real_tokens_are_read_as_the_text_that_they_came_from(cl100k: Path) -> None:
    text = asyncio.run(Cl100k(lambda _: cl100k).text((83, 1609, 5963, 374, 2294, 0), "input[0]"))
    assert text == "tiktoken is great!"
