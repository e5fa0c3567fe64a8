from hypothesis import given
from hypothesis import strategies as st

from freehold.engines.openvino.text import Written, marks

TEXTS = st.text(alphabet="ab€🎉", max_size=12)


@given(TEXTS, st.lists(st.text(alphabet="ab€", min_size=1, max_size=4), max_size=3), st.data())
def test_the_text_is_the_same_however_its_bytes_are_split(text: str, stops: list[str], data: st.DataObject) -> None:
    encoded = text.encode()
    cuts = data.draw(st.lists(st.integers(0, len(encoded)), max_size=6).map(sorted))
    written, said = Written(stops), ""
    for start, end in zip([0, *cuts], [*cuts, len(encoded)], strict=True):
        piece = written.feed(encoded[start:end])
        assert "\ufffd" not in piece
        said += piece
        if written.stopped:
            break
    said += written.end()
    met = any(stop in text for stop in stops)
    assert written.stopped == met
    if not met:
        assert said == text
    else:
        assert text.startswith(said) and any(text[len(said) :].startswith(stop) for stop in stops)


def test_holds_back_what_may_be_a_stop_sequence() -> None:
    written = Written(["STOP"])
    assert written.feed(b"a ST") == "a "
    assert written.feed(b"ART") == "START"
    assert written.feed(b" S") == " "
    assert written.end() == "S"


def test_a_character_that_is_never_finished_is_replaced() -> None:
    written = Written([])
    assert written.feed("🎉".encode()[:2]) == ""
    assert written.end() == "\ufffd"


def test_says_nothing_behind_a_stop_sequence() -> None:
    written = Written(["b"])
    assert written.feed(b"abc") == "a"
    assert written.feed(b"d") == written.end() == ""


def test_marks_are_neither_halves_of_characters_nor_what_models_write_with() -> None:
    spelled = {0: b"<|im_end|>", 1: b"a", 2: "\u62c9".encode()[:2], 3: b"<tool_call>", 4: b""}
    assert marks((3, 1, 1, 4, 3), spelled) == {"<|im_end|>": 0}
    assert marks((), spelled) == {}
