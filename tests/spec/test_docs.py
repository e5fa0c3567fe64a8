"""The reference pages say what the code does."""

import re
from pathlib import Path

import pytest
from msgspec import structs

from freehold.config import Server, Settings, Storage
from freehold.engines.registry import EngineSpec
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.responses.request import ResponseBody

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_setting_has_its_heading() -> None:
    headings = set(re.findall(r"^## (\S+)$", (REFERENCE / "settings.md").read_text(), re.MULTILINE))
    sections = {"server": Server, "storage": Storage, "engines": EngineSpec}
    known = {f"{name}.{field}" for name, kind in sections.items() for field in kind.__struct_fields__}
    assert set(Settings.__struct_fields__) == {*sections, "aliases"}
    assert headings == known | {"aliases"}


@pytest.mark.parametrize(("heading", "body"), [("responses", ResponseBody), ("chat/completions", ChatBody)])
def test_every_parameter_has_its_row(heading: str, body: type) -> None:
    section = (REFERENCE / "api.md").read_text().split(f"## POST /v1/{heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted(field.encode_name for field in structs.fields(body))
