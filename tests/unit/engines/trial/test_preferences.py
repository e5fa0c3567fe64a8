from pathlib import Path

import pytest

from freehold.engines.trial.preferences import Preference, Preferences, key_of

FOUND = Preference(model="m", kind="openvino", gain=1.5, machine="2 cores of x", day="2026-11-27")


def test_what_is_kept_is_found_until_it_is_forgotten(tmp_path: Path) -> None:
    data = tmp_path / "not there yet"
    memory = Preferences(data)
    assert memory.find("a") is None
    memory.keep("a", FOUND)
    memory.keep("b", FOUND)
    assert Preferences(data).find("a") == FOUND
    assert memory.forget(lambda key, _: key == "a") == ("m",)
    assert memory.find("a") is None and memory.find("b") == FOUND
    assert memory.forget(lambda key, _: key == "a") == ()
    assert [file.name for file in data.iterdir()] == ["bench.json"]


@pytest.mark.parametrize("content", ["{", '{"a": {"model": 5}}', "[]"])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    memory = Preferences(tmp_path)
    memory.path.write_text(content)
    with pytest.raises(ValueError, match=r"bench\.json is damaged"):
        memory.find("a")


def test_a_file_is_known_again_wherever_it_lies(tmp_path: Path) -> None:
    for place, content in (("a", b"GGUF one"), ("b", b"GGUF one"), ("c", b"GGUF two")):
        (tmp_path / place).mkdir()
        (tmp_path / place / "m.gguf").write_bytes(content)
    one, same, other = (key_of(tmp_path / place / "m.gguf") for place in "abc")
    assert one == same != other
