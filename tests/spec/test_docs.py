"""The reference pages say what the code does."""

import re
from pathlib import Path
from typing import get_args

import pytest
from msgspec import structs
from openai.types.responses import ResponseStreamEvent

from freehold.config import Outbound, Refusals, Searching, Server, Settings, Storage, Work
from freehold.engines.embedders import EmbedderSpec
from freehold.engines.registry import EngineSpec
from freehold.storage.blobs.access import S3Access
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.completions.request import CompletionBody
from freehold.surfaces.embeddings import EmbeddingBody
from freehold.surfaces.responses import objects
from freehold.surfaces.responses.request import ResponseBody

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_setting_has_its_heading() -> None:
    headings = set(re.findall(r"^## (\S+)$", (REFERENCE / "settings.md").read_text(), re.MULTILINE))
    sections = {
        "server": Server,
        "storage": Storage,
        "s3": S3Access,
        "refusals": Refusals,
        "outbound": Outbound,
        "worker": Work,
        "search": Searching,
        "engines": EngineSpec,
        "embedders": EmbedderSpec,
    }
    known = {f"{name}.{field}" for name, kind in sections.items() for field in kind.__struct_fields__}
    assert set(Settings.__struct_fields__) == {*sections, "aliases"}
    assert headings == known | {"aliases"}


def test_every_stream_event_has_its_row() -> None:
    section = (REFERENCE / "api.md").read_text().split("## Stream events of POST /v1/responses\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.+) \|$", section, re.MULTILINE))
    union = get_args(get_args(ResponseStreamEvent)[0])
    assert rows.keys() == {get_args(event.model_fields["type"].annotation)[0] for event in union}
    sent = {name for name, state in rows.items() if not state.startswith("never")}
    assert sent - {"error"} == {str(kind.__struct_config__.tag) for kind in objects.EVENTS}


@pytest.mark.parametrize(
    ("heading", "body"),
    [
        ("responses", ResponseBody),
        ("chat/completions", ChatBody),
        ("completions", CompletionBody),
        ("embeddings", EmbeddingBody),
    ],
)
def test_every_parameter_has_its_row(heading: str, body: type) -> None:
    section = (REFERENCE / "api.md").read_text().split(f"## POST /v1/{heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(rows) == sorted(field.encode_name for field in structs.fields(body))
