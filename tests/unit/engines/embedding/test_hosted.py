"""The hosted embedder against a worker that a test writes: started when it is needed, refused by index."""

import asyncio
from pathlib import Path

import pytest

from freehold.core.errors import EngineFailed, Invalid
from freehold.core.ports import Encoder
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.embedding.hosted import open_hosted

FAKE = '''
"""An embedding model that counts words."""
from pathlib import Path
from freehold.engines.worker.host import Backend
from freehold.engines.worker.messages import Embedded, Ready, Refused

class Fake(Backend):
    def __init__(self, opening):
        if Path(opening.path).read_text() == "broken":
            raise ValueError("the file is broken")
        self.ready = Ready(context=4, pool=4, created=1, backend="fake", fingerprint="", temperature=0, top_p=0)

    def embed(self, texts):
        for number, text in enumerate(texts):
            if text == "!":
                raise Refused("Invalid token")
            if len(text.split()) > 4:
                return Embedded(0, (), len(text.split()), number)
        return Embedded(0, tuple(bytes([len(text)] * 4) for text in texts), sum(len(t.split()) for t in texts))
'''
ENCODER = Encoder(name="fake", dimensions=1, context=4, created=1)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "fake_embedding.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "model"
    path.write_text("fine")
    return path


def test_texts_are_embedded_in_slices_and_in_order(model: Path) -> None:
    async def main() -> None:
        async with open_hosted(EmbedderSpec(name="e"), ENCODER, "fake_embedding:Fake", lambda: model) as embedder:
            texts = ["a" * (1 + number % 5) for number in range(100)]
            vectors = await embedder.embed("fake", texts)
            assert vectors.rows == tuple(bytes([len(text)] * 4) for text in texts)
            assert vectors.tokens == 100
            with pytest.raises(Invalid) as caught:
                await embedder.embed("fake", [*texts, "one two three four five"])
            assert (caught.value.param, caught.value.code) == ("input[100]", "context_length_exceeded")
            with pytest.raises(Invalid, match="Invalid token"):
                await embedder.embed("fake", ["!"])

    asyncio.run(main())


def test_nothing_is_fetched_or_started_before_it_is_used() -> None:
    def never() -> Path:
        raise AssertionError("fetched")

    async def main() -> None:
        async with open_hosted(EmbedderSpec(name="e"), ENCODER, "fake_embedding:Fake", never) as embedder:
            assert embedder.models == (ENCODER,)

    asyncio.run(main())


@pytest.mark.parametrize("trouble", ["missing", "broken"])
def test_a_model_that_cannot_be_had_is_said_and_tried_again(model: Path, trouble: str) -> None:
    async def main() -> None:
        found = model.with_name("none") if trouble == "missing" else model
        if trouble == "broken":
            model.write_text("broken")  # noqa: ASYNC240 - a test's own file
        async with open_hosted(EmbedderSpec(name="e"), ENCODER, "fake_embedding:Fake", lambda: found) as embedder:
            with pytest.raises(EngineFailed, match="embedding model"):
                await embedder.embed("fake", ["a"])
            (found if trouble == "missing" else model).write_text("fine")
            assert (await embedder.embed("fake", ["a"])).tokens == 1

    asyncio.run(main())
