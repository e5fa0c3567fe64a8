"""The import contracts hold, and break where an arrow that points the wrong way is planted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shape.tree import ROOT


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package and its contracts."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)


def plant(root: Path, module: str, line: str) -> None:
    path = root / "src/freehold" / module
    path.write_text(path.read_text() + f"\n{line}\n")


def test_the_contracts_hold(copied: Path) -> None:
    done = lint(copied)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("surfaces/decode.py", "import freehold.storage"),
        ("core/items.py", "import freehold.surfaces.decode"),
        ("services/models.py", "import freehold.http.app"),
        ("http/app.py", "import freehold.wiring"),
        ("runs/lower.py", "import asyncio"),
        ("surfaces/common.py", "import sqlalchemy"),
    ],
)
def test_a_planted_import_breaks_them(copied: Path, module: str, line: str) -> None:
    plant(copied, module, line)
    done = lint(copied)
    assert done.returncode == 1
    assert "BROKEN" in done.stdout, done.stdout + done.stderr


def test_a_package_without_a_floor_breaks_them(copied: Path) -> None:
    (copied / "src/freehold/attic").mkdir()
    (copied / "src/freehold/attic/__init__.py").write_text('"""Nowhere."""\n')
    done = lint(copied)
    assert done.returncode == 1
    assert "attic" in done.stdout + done.stderr
