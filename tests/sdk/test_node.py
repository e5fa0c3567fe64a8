"""The official Node SDK: each file of `node/cases` is a program that asserts for itself."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.servers import Server

NODE = Path(__file__).parent / "node"
CASES = sorted((NODE / "cases").glob("*.mjs"))


def test_there_are_cases() -> None:
    assert len(CASES) >= 6


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_node(case: Path, server: Server) -> None:
    assert (NODE / "node_modules/openai").is_dir(), f"run `npm ci` in {NODE}, or scripts/test, which does"
    environment = {**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": server.key}
    done = subprocess.run(["node", case], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "ok\n"
