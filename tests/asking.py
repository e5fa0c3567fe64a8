"""Asking an engine, without a server around it."""

from freehold.core.deltas import Stop, Text
from freehold.core.ports import Engine
from freehold.core.prompt import Prompt


async def said(by: Engine, asked: Prompt) -> tuple[str, Stop]:
    """Return the text of an answer, and how it ended."""
    *pieces, stop = [delta async for delta in by.generate(asked)]
    assert isinstance(stop, Stop)
    return "".join(piece.text for piece in pieces if isinstance(piece, Text)), stop
