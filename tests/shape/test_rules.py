"""The house rules hold in the tree, and each of them notices a planted violation."""

from pathlib import Path

import pytest

from tests.shape import rules
from tests.shape.rules import Rule
from tests.shape.tree import ROOT, sources

EVERYWHERE = ("src", "tests", "benches", "examples")
SIZES: list[Rule] = [rules.short_files, rules.short_functions, rules.few_parameters, rules.telling_names]
CODE: list[Rule] = [
    rules.docstrings,
    rules.no_keyword_catch_all,
    rules.no_lost_tasks,
    rules.no_swallowed_exceptions,
]
SPEAKERS = ("src/freehold/cli/", "src/freehold/wiring.py")
READERS = ("src/freehold/config.py", "src/freehold/cli/main.py")
"""`config.py` reads the environment; the command line hands it over, once."""


def name_of(rule: Rule) -> str:
    return rule.__name__


@pytest.mark.parametrize("rule", SIZES, ids=name_of)
def test_everywhere(rule: Rule) -> None:
    assert [finding for source in sources(ROOT, *EVERYWHERE) for finding in rule(source)] == []


@pytest.mark.parametrize("rule", CODE, ids=name_of)
def test_in_the_package(rule: Rule) -> None:
    assert [finding for source in sources(ROOT, "src") for finding in rule(source)] == []


def test_importing_does_nothing() -> None:
    assert [finding for source in sources(ROOT, "src") for finding in rules.no_side_effects(source)] == []


def test_only_the_command_line_speaks() -> None:
    silent = [source for source in sources(ROOT, "src") if not source.path.startswith(SPEAKERS)]
    assert [finding for source in silent for finding in rules.no_print(source)] == []


def test_only_the_settings_read_the_environment() -> None:
    deaf = [source for source in sources(ROOT, "src") if source.path not in READERS]
    assert [finding for source in deaf for finding in rules.no_environment(source)] == []


PLANTED: list[tuple[Rule, str]] = [
    (rules.short_files, '"""A module."""\n' + "x = 1\n" * 500),
    (rules.short_functions, "def f():\n" + "    x = 1\n" * 60),
    (rules.short_functions, "class A:\n    async def f(self):\n" + "        x = 1\n" * 60),
    (rules.few_parameters, "def f(a, b, c, d, e, f, g, h, i): ..."),
    (rules.few_parameters, "class A:\n    def f(self, a, b, c, d, /, e, f, g, *, h, i): ..."),
    (rules.docstrings, "x = 1"),
    (rules.docstrings, '"""A module."""\ndef f(): ...'),
    (rules.docstrings, '"""A module."""\nclass A: ...'),
    (rules.docstrings, '"""A module."""\nclass A:\n    """A class."""\n    def f(self): ...'),
    (rules.telling_names, "class ConnectionManager: ..."),
    (rules.telling_names, "class BaseEngine: ..."),
    (rules.telling_names, "class HTTPUtils: ..."),
    (rules.no_environment, "import os\nx = os.environ['HOME']"),
    (rules.no_environment, "import os\nx = os.getenv('HOME')"),
    (rules.no_environment, "from os import environ"),
    (rules.no_print, "print(1)"),
    (rules.no_keyword_catch_all, "def f(**kwargs): ..."),
    (rules.no_keyword_catch_all, "class A:\n    def __init__(self, **options): ..."),
    (rules.no_keyword_catch_all, "class A:\n    def f(self, **options): ..."),
    (rules.no_lost_tasks, "import asyncio\nasync def f():\n    asyncio.create_task(f())"),
    (rules.no_lost_tasks, "import asyncio\nasync def f():\n    _ = asyncio.ensure_future(f())"),
    (rules.no_lost_tasks, "async def f(loop):\n    loop.create_task(f(loop))"),
    (rules.no_swallowed_exceptions, "try:\n    x = 1\nexcept Exception:\n    pass"),
    (rules.no_swallowed_exceptions, "try:\n    x = 1\nexcept:\n    x = 2"),
    (
        rules.no_swallowed_exceptions,
        "try:\n    x = 1\nexcept (OSError, Exception):\n    x = None",
    ),
    (rules.no_swallowed_exceptions, "from contextlib import suppress\nwith suppress(Exception):\n    x = 1"),
    (rules.no_side_effects, "import logging\nlogging.basicConfig()"),
    (rules.no_side_effects, "for x in range(3):\n    y = x"),
    (rules.no_side_effects, "x = 1\ndef f():\n    global x\n    x = 2"),
]


@pytest.mark.parametrize(("rule", "text"), PLANTED, ids=[f"{rule.__name__}-{i}" for i, (rule, _) in enumerate(PLANTED)])
def test_a_planted_violation(rule: Rule, text: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/planted.py").write_text(text)
    [source] = sources(tmp_path, "src")
    assert list(rule(source)) != []


@pytest.mark.parametrize("path", ["utils.py", "http_helpers.py", "base/rows.py"])
def test_a_planted_name(path: str, tmp_path: Path) -> None:
    planted = tmp_path / "src" / path
    planted.parent.mkdir(parents=True)
    planted.write_text("")
    [source] = sources(tmp_path, "src")
    assert list(rules.telling_names(source)) != []


KEPT: list[tuple[Rule, str]] = [
    (rules.short_functions, "def f():\n" + "    x = 1\n" * 59),
    (rules.few_parameters, "class A:\n    def f(self, a, b, c, d, e, f, g, h): ..."),
    (rules.docstrings, '"""A module."""\ndef _f(): ...\nclass _A:\n    def f(self): ...'),
    (rules.telling_names, "class Basement: ..."),
    (rules.no_lost_tasks, "import asyncio\nasync def f():\n    task = asyncio.create_task(f())\n    await task"),
    (rules.no_lost_tasks, "async def f(group):\n    group.create_task(f(group))"),
    (rules.no_swallowed_exceptions, "try:\n    x = 1\nexcept Exception as error:\n    raise ValueError from error"),
    (rules.no_swallowed_exceptions, "try:\n    x = 1\nexcept KeyError:\n    x = 2"),
    (rules.no_side_effects, '"""A module."""\nx = dict(a=1)\nif __name__ == "__main__":\n    x.clear()'),
]


@pytest.mark.parametrize(("rule", "text"), KEPT, ids=[f"{rule.__name__}-{i}" for i, (rule, _) in enumerate(KEPT)])
def test_what_the_rules_allow(rule: Rule, text: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/fine.py").write_text(text)
    [source] = sources(tmp_path, "src")
    assert list(rule(source)) == []
