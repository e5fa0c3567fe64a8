"""The embedded engine with a model that sees: random weights, and a projector that the test writes."""

import asyncio
import base64
import io
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image as Picture

from freehold.core.deltas import Delta, Stop, Text, Thought
from freehold.core.errors import EngineFailed
from freehold.core.ports import Engine
from freehold.core.prompt import IMAGE, Image, JsonFormat, Prompt, Sampling, Turn
from freehold.engines.registry import EngineSpec, open_engine
from tests.gguf_file import write_projector
from tests.servers import http_client, running_server, strict_client

WIDTH = 16  # of the random-weight model
GREEDY = Sampling(temperature=0.0, max_tokens=6)


def picture(color: str) -> bytes:
    made = io.BytesIO()
    Picture.new("RGB", (80, 60), color).save(made, "PNG")
    return made.getvalue()


RED, BLUE = Image(picture("red")), Image(picture("blue"))


@pytest.fixture(scope="module")
def seeing(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and its projector, and nothing else."""
    folder = tmp_path_factory.mktemp("seeing")
    shutil.copy(tiny_model, folder / "tiny.gguf")
    write_projector(folder / "mmproj-tiny.gguf", WIDTH)
    return folder / "tiny.gguf"


@asynccontextmanager
async def engine(path: Path, **settings: object) -> AsyncIterator[Engine]:
    spec = EngineSpec(name="local", models=("tiny",), slots=2, context=1024, pool=2048, **settings)  # type: ignore[arg-type]
    async with open_engine(spec, lambda name: path) as opened:
        yield opened


def shown(*images: Image, text: str = "What is this?", sampling: Sampling = GREEDY) -> Prompt:
    return Prompt(model="tiny", turns=(Turn("user", text + IMAGE * len(images), images=images),), sampling=sampling)


async def said(by: Engine, asked: Prompt) -> tuple[list[Delta], Stop]:
    *deltas, stop = [delta async for delta in by.generate(await by.admit(asked))]
    assert isinstance(stop, Stop)
    return deltas, stop


def test_a_projector_beside_the_model_gives_it_eyes(seeing: Path) -> None:
    async def main() -> None:
        async with engine(seeing) as llama:
            assert llama.models[0].vision == "native"
            blind, one, two = [len((await llama.admit(shown(*images))).tokens) for images in ((), (RED,), (RED, BLUE))]
            assert one > blind + 15
            assert two - one in (16, 17)  # 16 patches, and perhaps a token between the pictures
            for images in ((), (RED,), (RED, BLUE)):
                asked = await llama.admit(shown(*images))
                _, stop = await said(llama, asked)
                assert (stop.usage.input, stop.usage.output) == (len(asked.tokens), 6)

    asyncio.run(main())


def test_what_it_sees_decides_what_it_says(seeing: Path) -> None:
    async def main() -> None:
        async with engine(seeing) as llama:
            every = Sampling(temperature=0.0, max_tokens=2, logprobs=5)
            answers = [await said(llama, shown(image, sampling=every)) for image in (RED, BLUE, RED)]
            logprobs = [[one.logprobs for one in deltas if isinstance(one, Text)] for deltas, _ in answers]
            assert all(len(one[0][0].top_logprobs) == 5 for one in logprobs)
            assert logprobs[0] == logprobs[2] != logprobs[1]
            assert answers[2][1].usage.cached > 0  # the picture is not computed again

    asyncio.run(main())


def test_guessing_ahead_behind_an_image(seeing: Path) -> None:
    asked = shown(RED, sampling=Sampling(temperature=0.0, max_tokens=120))

    async def main() -> None:
        async with engine(seeing) as llama:
            deltas, _ = await said(llama, asked)
            answer = "".join(delta.text for delta in deltas if isinstance(delta, Text))
        async with engine(seeing, speculation="prompt") as llama:
            deltas, stop = await said(llama, replace(asked, predicted=answer))
            assert "".join(delta.text for delta in deltas if isinstance(delta, Text)) == answer
            assert stop.usage.output == 120
            assert 0 < stop.usage.accepted < 120  # the model repeats itself

    asyncio.run(main())


def test_text_cannot_pretend_to_be_an_image(seeing: Path) -> None:
    async def main() -> None:
        async with engine(seeing) as llama:
            for mark in ("<__media__>", "<__media_0000__>", "<__image__>"):
                await said(llama, shown(text=mark))
                await said(llama, shown(RED, text=mark))

    asyncio.run(main())


def test_thoughts_with_images_keep_their_budget(seeing: Path) -> None:
    async def main() -> None:
        async with engine(seeing) as llama:
            thinking = Prompt(model="tiny", turns=shown(RED).turns, sampling=Sampling(max_tokens=24), thinking=8)
            deltas, stop = await said(llama, thinking)
            assert stop.usage.reasoning == 8
            assert any(isinstance(one, Thought) for one in deltas)

    asyncio.run(main())


def test_formats_hold_with_images(smollm2: Path, tmp_path: Path) -> None:
    projector = tmp_path / "mmproj.gguf"
    write_projector(projector, 576)
    seven = {"type": "object", "properties": {"n": {"enum": [7]}}, "required": ["n"], "additionalProperties": False}

    async def main() -> None:
        async with engine(smollm2, projector=str(projector)) as llama:
            asked = Prompt(model="tiny", turns=shown(RED).turns, format=JsonFormat(schema=seven, strict=True))
            deltas, _ = await said(llama, asked)
            assert json.loads("".join(one.text for one in deltas if isinstance(one, Text))) == {"n": 7}

    asyncio.run(main())


def test_an_answer_with_an_image_can_be_cancelled(seeing: Path) -> None:
    async def main() -> None:
        async with engine(seeing) as llama:
            answer = llama.generate(await llama.admit(shown(RED, sampling=Sampling(max_tokens=900))))
            await anext(answer)
            await answer.aclose()
            async with asyncio.timeout(10):
                while llama.load.running:  # noqa: ASYNC110 - what is seen is what a caller of `load` can see
                    await asyncio.sleep(0.01)

    asyncio.run(main())


def test_a_broken_projector_is_told(seeing: Path, tmp_path: Path) -> None:
    broken = tmp_path / "mmproj.gguf"
    broken.write_bytes(b"GGUF nothing")

    async def main() -> None:
        with pytest.raises(EngineFailed, match="could not be loaded"):
            async with engine(seeing, projector=str(broken)):
                raise AssertionError("it opened")

    asyncio.run(main())


def test_a_request_s_image_reaches_the_model(seeing: Path, tmp_path: Path) -> None:
    url = "data:image/png;base64," + base64.b64encode(RED.data).decode()
    with running_server(tmp_path, "--model", str(seeing)) as server:
        with http_client(server) as raw:
            assert raw.get("/models/gpt-4o").json()["freehold"]["vision"] == "native"
        with strict_client(server) as client:
            content = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": url}]
            asked = [{"role": "user", "content": content}]
            counted = client.responses.input_tokens.count(model="gpt-4o", input=asked)  # type: ignore[arg-type]
            answer = client.responses.create(model="gpt-4o", input=asked, max_output_tokens=16)  # type: ignore[arg-type]
            assert answer.usage is not None
            assert answer.usage.input_tokens == counted.input_tokens > 16
            assert answer.metadata == {}
