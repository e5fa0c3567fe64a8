import asyncio
from base64 import b64encode
from pathlib import Path

import pytest

from freehold.core.errors import EngineFailed, Invalid
from freehold.engines.embedding.cl100k import Cl100k, parts

TOKENS = (b"hen", b" eggs", "é".encode()[:1], "é".encode()[1:])


def vocabulary(folder: Path) -> Path:
    file = folder / "cl100k_base.tiktoken"
    file.write_bytes(b"".join(b64encode(token) + f" {number}\n".encode() for number, token in enumerate(TOKENS)))
    return file


def test_a_vocabulary_is_read_by_its_numbers(tmp_path: Path) -> None:
    file = vocabulary(tmp_path)
    file.write_bytes(b"\n".join(reversed(file.read_bytes().splitlines())))
    assert parts(file) == TOKENS


@pytest.mark.parametrize(("tokens", "text"), [((0, 1), "hen eggs"), ((2, 3), "é"), ((3, 0), "�hen"), ((0, 2), "hen�")])
def test_tokens_are_text(tmp_path: Path, tokens: tuple[int, ...], text: str) -> None:
    assert asyncio.run(Cl100k(lambda _: vocabulary(tmp_path)).text(tokens, "input[0]")) == text


def test_it_is_read_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def find(name: str) -> Path:
        asked.append(name)
        return vocabulary(tmp_path)

    async def both(known: Cl100k) -> list[str]:
        return await asyncio.gather(known.text((0,), "input[0]"), known.text((1,), "input[1]"))

    assert asyncio.run(both(Cl100k(find))) == ["hen", " eggs"]
    assert asked == ["cl100k_base"]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="Invalid token in 'input\\[3\\]': 4") as caught:
        asyncio.run(Cl100k(lambda _: vocabulary(tmp_path)).text((0, 4), "input[3]"))
    assert caught.value.param == "input[3]"

    def find(name: str) -> Path:
        raise OSError("no network.")

    with pytest.raises(EngineFailed, match=r"had: no network\. Send texts, or fetch it with `freehold models"):
        asyncio.run(Cl100k(find).text((0,), "input[0]"))
