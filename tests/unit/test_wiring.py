"""What the composition root decides by itself."""

import asyncio
from pathlib import Path

import pytest

from freehold import wiring
from freehold.core.ports import Vision
from tests.house import house


def vision_of(folder: Path, **spec: object) -> Vision:
    async def main() -> Vision:
        async with house(folder, **spec) as (built, _):
            entry = built.catalog.find("script")
            assert entry is not None
            return entry.served.vision

    return asyncio.run(main())


def test_a_model_without_eyes_reads_by_ocr_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vision_of(tmp_path) == "ocr"
    assert vision_of(tmp_path, vision="ocr") == "ocr"
    assert vision_of(tmp_path, vision="none") == "none"
    assert vision_of(tmp_path, vision="native") == "native"
    monkeypatch.setattr(wiring, "can_ocr", lambda: False)
    assert vision_of(tmp_path) == "none"
    assert vision_of(tmp_path, vision="native") == "native"
    with pytest.raises(ValueError, match=r"freehold\[ocr\]"):
        vision_of(tmp_path, vision="ocr")
