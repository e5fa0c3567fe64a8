"""The layout of the repository: what mirrors what, how long scripts are, what an install brings, what no file names."""

import re
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.shape.tree import ROOT, tracked

SCRIPT_LINES = 15
PACKAGES = 20
_MACHINE_PATH = re.compile(r"(?<![\w.~})/-])/(?:home|root|Users|work|mnt|tmp)/(?!ann\b)[\w.-]{2,}")


def orphans(root: Path) -> list[str]:
    """The unit tests that test no module: `tests/unit/a/test_b.py` needs `src/freehold/a/b.py`, or a package `b`."""
    found = []
    for path in sorted((root / "tests/unit").rglob("test_*.py")):
        inside = path.relative_to(root / "tests/unit")
        module = root / "src/freehold" / inside.parent / inside.stem.removeprefix("test_")
        if not module.with_suffix(".py").is_file() and not (module / "__init__.py").is_file():
            found.append(inside.as_posix())
    return found


def long_scripts(root: Path) -> list[str]:
    """The scripts of more than SCRIPT_LINES lines."""
    scripts = [path for folder in ("scripts", ".ci") for path in (root / folder).glob("*") if path.is_file()]
    return [path.name for path in sorted(scripts) if len(path.read_text().splitlines()) > SCRIPT_LINES]


def machine_paths(files: Iterable[Path]) -> list[str]:
    """The lines that name a folder of one machine; `ann` is the user of examples, and nobody's name here."""
    found = []
    for path in files:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            found += [f"{path.name}:{number}: {match[0]}" for match in _MACHINE_PATH.finditer(line)]
    return found


def installed_with(name: str) -> set[str]:
    """The packages that a plain install of `name` brings here, itself not counted."""
    found: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset())]
    seen = set(waiting)
    while waiting:
        package, extras = waiting.pop()
        found.add(canonicalize_name(package))
        for line in distribution(package).requires or ():
            requirement = Requirement(line)
            wanted = requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in extras or {""}
            )
            following = (requirement.name, frozenset(requirement.extras))
            if wanted and following not in seen:
                seen.add(following)
                waiting.append(following)
    return found - {canonicalize_name(name)}


def test_unit_tests_mirror_the_source() -> None:
    assert orphans(ROOT) == []


def test_an_orphan_is_noticed(tmp_path: Path) -> None:
    for name in ("src/freehold/a/b.py", "tests/unit/a/test_b.py", "tests/unit/a/test_c.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert orphans(tmp_path) == ["a/test_c.py"]


def test_scripts_are_short() -> None:
    assert long_scripts(ROOT) == []


def test_a_long_script_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/fine").write_text("true\n" * 15)
    (tmp_path / "scripts/long").write_text("true\n" * 16)
    assert long_scripts(tmp_path) == ["long"]


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert machine_paths(tracked(ROOT)) == []


def test_a_machine_path_is_noticed(tmp_path: Path) -> None:
    planted = tmp_path / "planted.md"
    places = ["home/bob/x", "root/xx", "Users/annette", "work/main", "tmp/xx"]
    planted.write_text(
        "".join(f"See /{place}.\n" for place in places) + "See ~/work/x, /home/ann/x and https://a.b/work/x.\n"
    )
    assert len(machine_paths([planted])) == len(places)


def test_the_plain_install_is_small() -> None:
    packages = installed_with("freehold")
    assert {"starlette", "msgspec", "uvicorn"} <= packages
    assert not {"pytest", "openai", "ruff"} & packages
    assert len(packages) <= PACKAGES, sorted(packages)


def test_an_install_counts_what_its_packages_bring() -> None:
    assert {"httpx2", "pydantic", "pydantic-core", "idna"} <= installed_with("openai")
