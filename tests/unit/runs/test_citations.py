import pytest

from freehold.core.items import FileResult
from freehold.runs.citations import Marks, attributed

Said = list[str | int]

CASES: list[tuple[str, Said]] = [
    ("Paris is big 【1】.", ["Paris is big", 1, "."]),
    ("Paris is big【1】【3】", ["Paris is big", 1, 3]),
    ("Paris [1], Rome [2, 3].", ["Paris", 1, ", Rome", 2, 3, "."]),
    ("Paris 【2†paris.txt】!", ["Paris", 2, "!"]),
    ("No such one 【4】 and [0] and [1, 9].", ["No such one 【4】 and [0] and [1, 9]."]),
    ("Use `list[1]` and list [2]", ["Use `list[1]` and list", 2]),
    ("```\nlist[1]\n``` so [1]", ["```\nlist[1]\n``` so", 1]),
    ("[link](1) and [ and 【 and [x", ["[link](1) and [ and 【 and [x"]),
    ("【1", ["【1"]),
    ("cut [1", ["cut [1"]),
    ("[[1]]", ["[", 1, "]"]),
    ("【1】 first", [1, " first"]),
    ("", []),
]


def read(pieces: list[str]) -> Said:
    """What is said with neighbouring texts joined."""
    marks = Marks(3)
    found: Said = []
    for one in [*(one for piece in pieces for one in marks.take(piece)), *marks.end()]:
        if isinstance(one, str) and found and isinstance(found[-1], str):
            found[-1] += one
        else:
            found.append(one)
    return found


@pytest.mark.parametrize(("text", "wanted"), CASES)
def test_marks_are_taken_out_however_the_text_is_cut(text: str, wanted: Said) -> None:
    assert read([text]) == wanted
    assert read(list(text)) == wanted
    for one in range(len(text)):
        for two in range(one, len(text)):
            assert read([text[:one], text[one:two], text[two:]]) == wanted


def test_text_that_cannot_be_a_mark_is_not_held_back() -> None:
    marks = Marks(3)
    assert list(marks.take("Paris is")) == ["Paris is"]
    assert list(marks.take(" big [")) == [" big"]
    assert list(marks.take("x")) == [" [x"]
    assert list(marks.end()) == []


def test_what_looks_like_a_mark_without_end_is_let_go() -> None:
    held = [one for piece in ["[", *["1"] * 200] for one in Marks(3).take(piece)]
    marks = Marks(3)
    said = "".join(str(one) for piece in ["[", *["1"] * 200] for one in marks.take(piece))
    assert said.startswith("[")
    assert held


def result(name: str, text: str) -> FileResult:
    return FileResult(file_id=f"file-{name}", filename=name, score=1.0, text=text)


SOURCES = (
    result("seas.txt", "The northern harbour freezes every winter between December and March."),
    result("hens.txt", "Speckled hens lay about two hundred brown eggs yearly."),
)


def test_sentences_are_attributed_to_the_file_that_has_their_words() -> None:
    text = "The harbour freezes every winter. Speckled hens lay two hundred brown eggs. I hope this helps you further."
    found = list(attributed(text, SOURCES))
    assert [(text[:index][-8:], source.filename) for index, source in found] == [
        (" winter.", "seas.txt"),
        ("wn eggs.", "hens.txt"),
    ]


def test_of_sentences_from_one_file_the_last_is_told() -> None:
    text = "The harbour freezes every winter.\nThe northern harbour freezes between December and March."
    assert [index for index, _ in attributed(text, SOURCES)] == [len(text)]


def test_what_is_not_said_in_a_file_is_not_attributed() -> None:
    assert list(attributed("The files say nothing about elephants, unfortunately.", SOURCES)) == []
    assert list(attributed("The harbour freezes every winter.", ())) == []


def test_short_answers_are_attributed_by_what_is_rare() -> None:
    both = (*SOURCES, result("leave.txt", "Employees have 28 days of leave, and may carry 5 days over to December."))
    for text, name in (
        ("28 days.", "leave.txt"),
        ("Two hundred.", "hens.txt"),
        ("In December, in winter.", "seas.txt"),
    ):
        assert [source.filename for _, source in attributed(text, both)] == [name]
    assert list(attributed("Yes.", both)) == []
