from freehold.core.items import FileResult, FileSearchCall, InputText, Message, OutputText
from freehold.core.prompt import Ask, JsonFormat
from freehold.runs.excerpts import exchange, searches, sources
from freehold.runs.lower import lower

ASKED = Message(role="user", content=(InputText("Why?"),))
SAID = Message(role="assistant", content=(OutputText("So."),))


def search(item_id: str, *texts: str) -> FileSearchCall:
    results = tuple(
        FileResult(file_id=f"file-{text}", filename=f"{text}.txt", score=0.5, text=f" {text}\n") for text in texts
    )
    return FileSearchCall(id=item_id, queries=("why",), results=results)


FAILED = FileSearchCall(id="fs_9", status="failed", queries=("why",))


def test_only_searches_since_the_user_spoke_are_read_again() -> None:
    old, new, unknown = search("fs_1", "a"), search("fs_2", "b"), FileSearchCall(queries=("x",))
    assert searches((ASKED, old, SAID, ASKED, new, unknown, FAILED)) == (new, FAILED)
    assert [one.filename for one in sources((ASKED, old, ASKED, new, search("fs_3", "c")))] == ["b.txt", "c.txt"]


def test_a_search_is_read_as_a_call_and_its_numbered_answer() -> None:
    ask = Ask(model=None, items=())
    _, called, answered, again, more = lower(ask, (ASKED, search("fs_1", "a", "b"), search("fs_2", "c")), "m").turns
    assert (called.speaker, called.calls[0].name, called.calls[0].arguments) == (
        "assistant",
        "file_search",
        '{"queries":["why"]}',
    )
    assert (answered.speaker, answered.call_id) == ("tool", called.calls[0].id)
    assert answered.text.startswith("【1】 a.txt\na\n\n【2】 b.txt\nb\n\nAnswer from these excerpts.")
    assert "like this: 【1】" in answered.text

    assert again.calls[0].id == "fs_2"
    assert more.text.startswith("【3】 c.txt\nc")


def test_an_excerpt_says_on_which_page_it_begins() -> None:
    found = FileResult(file_id="f", filename="a.pdf", score=1, text="Hens.", page=7)
    _, answered = exchange(FileSearchCall(queries=("q",), results=(found,)), 0, None, True)
    assert answered.text.startswith("【1】 a.pdf, page 7\nHens.\n\n")


def test_the_weakest_are_left_out_and_the_numbers_stay() -> None:
    items = (ASKED, search("fs_1", "a", "b"), search("fs_2", "c", "d"))
    _, _, first, _, second = lower(Ask(model=None, items=()), items, "m", excerpts=1).turns
    assert "【1】" in first.text
    assert "b.txt" not in first.text
    assert second.text.startswith("【3】 c.txt")
    assert "d.txt" not in second.text


def test_where_a_format_is_asked_for_no_marks_are() -> None:
    _, _, answered = lower(Ask(model=None, items=(), format=JsonFormat()), (ASKED, search("fs_1", "a")), "m").turns
    assert "like this" not in answered.text


def test_a_search_that_found_nothing_or_failed_says_so() -> None:
    _, _, nothing, _, failed = lower(Ask(model=None, items=()), (ASKED, search("fs_1"), FAILED), "m").turns
    assert nothing.text == "Nothing was found in the files."
    assert failed.text.startswith("The search failed.")


def test_an_earlier_search_is_not_read_again() -> None:
    turns = lower(Ask(model=None, items=()), (ASKED, search("fs_1", "a"), SAID, ASKED), "m").turns
    assert [turn.text for turn in turns] == ["Why?", "So.", "Why?"]
