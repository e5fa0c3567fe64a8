import pytest
from msgspec import UNSET

from freehold.core.items import FunctionCall, InputImage, InputText, Item, Logprob, Message, OutputText, Reasoning
from freehold.surfaces.responses.include import IMAGES, LOGPROBS, THOUGHTS, shown

PIECE = Logprob("Yes", (89, 101, 115), -0.1)
SEEN = InputImage(image_url="https://example.com/cat.png")
THOUGHT = Reasoning(id="rs_1", encrypted_content="sealed")
SPOKEN = Message(id="msg_1", role="assistant", content=(OutputText("Yes", logprobs=(PIECE,)),))
ASKED = Message(id="msg_2", role="user", content=(InputText("A cat?"), SEEN, InputImage(file_id="file_1")))


@pytest.mark.parametrize(
    ("item", "include", "less"),
    [
        (THOUGHT, THOUGHTS, Reasoning(id="rs_1", encrypted_content=UNSET)),
        (SPOKEN, LOGPROBS, Message(id="msg_1", role="assistant", content=(OutputText("Yes"),))),
        (
            ASKED,
            IMAGES,
            Message(id="msg_2", role="user", content=(InputText("A cat?"), InputImage(), InputImage(file_id="file_1"))),
        ),
    ],
)
def test_what_is_shown_only_on_demand(item: Item, include: str, less: Item) -> None:
    assert shown(item, ()) == less
    assert shown(item, {THOUGHTS, LOGPROBS, IMAGES} - {include}) == less
    assert shown(item, [include]) == item


def test_other_items_are_shown_whole() -> None:
    call = FunctionCall(id="fc_1", call_id="c", name="f", arguments="{}")
    assert shown(call, ()) is call
