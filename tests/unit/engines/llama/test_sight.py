"""Prompts with images as llama.cpp takes them."""

import pytest

from freehold.core.prompt import IMAGE, Image, Turn
from freehold.engines.llama.sight import messages, native, pictures

SEEN = Turn("user", f"a{IMAGE}{IMAGE}b", images=(Image(b"1"), Image(b"2")))


def shown(data: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def test_images_stand_where_they_belong() -> None:
    turns = (Turn("system", "s"), SEEN, Turn("user", IMAGE, images=(Image(b"3"),)))
    assert messages(turns, pictures=True) == [
        {"role": "system", "content": "s"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, shown("MQ=="), shown("Mg=="), {"type": "text", "text": "b"}],
        },
        {"role": "user", "content": [shown("Mw==")]},
    ]
    assert pictures(turns) == ["MQ==", "Mg==", "Mw=="]


def test_a_template_needs_only_their_places() -> None:
    (message,) = messages((SEEN,), pictures=False)
    assert message["content"][1] == message["content"][2] == shown("AA==")


def test_places_and_images_are_as_many() -> None:
    with pytest.raises(ValueError, match="zip"):
        messages((Turn("user", "no place", images=(Image(b"1"),)),), pictures=True)


def test_a_completion_in_llama_s_own_words() -> None:
    asked = {"prompt": [1], "max_tokens": 3, "logprobs": 2, "temperature": 0.5}
    assert native(asked) == {"prompt": [1], "n_predict": 3, "n_probs": 2, "temperature": 0.5}
