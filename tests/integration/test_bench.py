"""`freehold bench` with real engines, and the server that takes what it found."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from freehold.engines.trial.machine import processor
from freehold.engines.trial.preferences import Preference, Preferences, key_of
from tests.servers import running_server, strict_client


def bench(model: Path, data: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "freehold.cli.main", "--data", str(data), "bench", str(model), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=230, check=True)
    assert "measuring llama 100% 5 of 5 steps" in done.stderr
    return json.loads(done.stdout)


def test_one_engine_is_measured_where_the_other_cannot_read_the_model(tiny_model: Path, tmp_path: Path) -> None:
    told = bench(tiny_model, tmp_path)
    (llama,) = told["engines"]
    assert llama["engine"] == "llama" and llama["backend"].startswith("llama.cpp")
    assert 0 < llama["prompt_tokens"] <= 945 and llama["first_token_seconds"] > 0
    assert set(llama["tokens_per_second"]) == {"1", "8", "32"} and min(llama["tokens_per_second"].values()) > 0
    assert llama["memory_bytes"] > 10_000_000
    assert "openvino was not measured" in str(told["note"]) and told["remembered"] is None
    assert not (tmp_path / "bench.json").exists()


def remember(model: Path, folder: Path) -> None:
    found = Preference(model=model.stem, kind="openvino", gain=2.0, machine=processor(), day="2026-11-27")
    Preferences(folder / "data").keep(key_of(model), found)


def test_the_server_takes_the_remembered_engine(smollm2: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino_genai", reason="the extra `openvino` is for x86-64")
    remember(smollm2, tmp_path)
    with running_server(tmp_path, "--model", str(smollm2)) as server:
        why = f"engine local (openvino) with {smollm2.stem}: 2.00 times as fast as llama by `freehold bench`"
        assert why in server.log.read_text()
        answer = strict_client(server).chat.completions.create(
            model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}], max_tokens=4
        )
        assert answer.usage is not None and answer.usage.completion_tokens > 0


def test_one_that_does_not_start_gives_way_to_the_usual(tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino_genai", reason="the extra `openvino` is for x86-64")
    remember(tiny_model, tmp_path)
    with running_server(tmp_path, "--model", str(tiny_model)) as server:
        log = server.log.read_text()
    assert re.search(r"^engine local \(openvino\) with", log, re.MULTILINE)
    assert "engine local (llama) with" in log and "`freehold bench` preferred does not start." in log
