"""Vectors of a server elsewhere."""

import asyncio
import struct
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from freehold.core.errors import EngineBusy, Fault, Invalid, RemoteFailed
from freehold.core.ports import Embedder
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.embedding.slices import MOST_TEXTS
from freehold.engines.remote.embedder import CONTEXT, open_remote
from tests.house import nowhere
from tests.upstream import Answering, Upstream, hang, reply, upstream, write

PATH = "/v1/embeddings"


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    async def bounded() -> Any:
        async with asyncio.timeout(30):
            return await main()

    return asyncio.run(bounded())


@asynccontextmanager
async def embedder(up: Upstream, **spec: Any) -> AsyncIterator[Embedder]:
    told = {"model": "vec", "url": up.url, "dimensions": 2, **spec}
    async with open_remote(EmbedderSpec(name="e", kind="remote", **told), nowhere) as opened:
        yield opened


def row(*numbers: float, index: int | None = None) -> dict[str, Any]:
    return {"embedding": list(numbers), "index": index}


def numbers(of: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(of) // 4}f", of))


def embedded(*answers: Answering, texts: tuple[Any, ...] = ("a",)) -> tuple[list[list[float]], int]:
    async def main() -> tuple[list[list[float]], int]:
        async with upstream() as up, embedder(up) as opened:
            up.answer(PATH, *answers)
            vectors = await opened.embed("vec", texts)
            return [numbers(one) for one in vectors.rows], vectors.tokens

    return run(main)


def test_vectors_come_in_the_order_of_the_texts_and_of_length_1() -> None:
    packed = {"embedding": b64encode(struct.pack("<2f", 3.0, 4.0)).decode(), "index": 0}
    body = {"data": [row(0.0, 2.0, index=1), packed], "usage": {"prompt_tokens": 7}}
    rows, tokens = embedded(reply(body), texts=("a", "b"))
    assert (rows, tokens) == ([pytest.approx([0.6, 0.8]), [0.0, 1.0]], 7)
    assert embedded(reply({"data": [row(1.0, 0.0)]})) == ([[1.0, 0.0]], 0)
    assert embedded(reply({"data": [row(0.0, 0.0)]})) == ([[0.0, 0.0]], 0)


def test_many_texts_go_a_slice_at_a_time() -> None:
    async def main() -> None:
        async with upstream() as up, embedder(up) as opened:
            full = {"data": [row(1.0, 0.0)] * MOST_TEXTS, "usage": {"prompt_tokens": 5}}
            up.answer(PATH, reply(full), reply({"data": [row(0.0, 1.0)], "usage": {"prompt_tokens": 1}}))
            vectors = await opened.embed("vec", ["x"] * (MOST_TEXTS + 1))
            assert (len(vectors.rows), vectors.tokens) == (MOST_TEXTS + 1, 6)
            assert [len(one.json["input"]) for one in up.at(PATH)] == [MOST_TEXTS, 1]
            up.answer(PATH, reply({"data": [row(1.0, 0.0)]}))
            await opened.embed("vec", [(1, 2, 3)], batch=True)
            assert up.at(PATH)[-1].json["input"] == [[1, 2, 3]]

    run(main)


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (reply({"data": []}), RemoteFailed, "0 vectors for 1 texts"),
        (reply({"data": [row(1.0, 0.0, index=4)]}), RemoteFailed, "1 vectors for 1 texts"),
        (reply({"data": [row(1.0, 0.0, 0.0)]}), RemoteFailed, "3 numbers, not 2"),
        (reply({"data": [{"embedding": "no base64!"}]}), RemoteFailed, "no list of vectors"),
        (reply("<html>"), RemoteFailed, "no list of vectors"),
        (reply("", 500), RemoteFailed, "status 500"),
        (reply("", 401), RemoteFailed, "credentials"),
        (reply("", 429), EngineBusy, "at its limit"),
        (write(b"", close=True), RemoteFailed, "connection ended"),
        (reply({"error": {"message": "This model's maximum context length is 8"}}, 400), Invalid, "maximum context"),
    ],
)
def test_what_is_no_answer(answer: Answering, kind: type[Fault], why: str) -> None:
    with pytest.raises(Fault, match=why) as found:
        embedded(answer)
    assert type(found.value) is kind
    if isinstance(found.value, Invalid):
        assert (found.value.code, found.value.param) == ("context_length_exceeded", "input[0]")


def test_what_is_not_configured_is_asked() -> None:
    async def main() -> None:
        async with upstream() as up:
            up.answer("/v1/models", reply({"data": [{"id": "vec", "max_model_len": 512}]}))
            up.answer(PATH, reply({"data": [row(1.0, 0.0, 0.0)]}))
            async with embedder(up, dimensions=None) as opened:
                (model,) = opened.models
                assert (model.name, model.dimensions, model.context) == ("vec", 3, 512)
            up.answer("/v1/models", reply({"data": [{"id": "vec", "freehold": {"context_length": 256}}]}))
            async with embedder(up) as opened:
                assert opened.models[0].context == 256
            up.answer("/v1/models", reply("<html>"))
            async with embedder(up) as opened:
                assert opened.models[0].context == CONTEXT
            async with embedder(up, context=64) as opened:
                assert opened.models[0].context == 64

    run(main)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"url": None}, "needs a url"),
        ({"url": "http://k:sk-hidden@far/v1"}, "carries a key"),
        ({"dimensions": None}, "set `dimensions`"),
    ],
)
def test_a_wrong_spec(spec: dict[str, Any], why: str) -> None:
    async def main() -> None:
        async with upstream() as up:
            up.answer(PATH, reply("", 500))
            with pytest.raises(ValueError, match=why) as wrong:
                async with embedder(up, **spec):
                    pass
            assert "hidden" not in str(wrong.value)

    run(main)


def test_leaving_hangs_up() -> None:
    async def main() -> None:
        async with upstream() as up, embedder(up) as opened:
            up.answer(PATH, hang)
            task = asyncio.create_task(opened.embed("vec", ["a"]))
            while not up.at(PATH):  # noqa: ASYNC110  the upstream keeps what it is asked, and tells nobody
                await asyncio.sleep(0.01)
            task.cancel()
            await up.left.wait()

    run(main)
