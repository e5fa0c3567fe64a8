"""The project's files, parsed once, as the rules look at them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """A Python file: its path inside the project, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    def at(self, node: ast.AST, message: str) -> str:
        """A finding at `node`, as `path:line: message`."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {message}"


def sources(root: Path, *folders: str) -> list[Source]:
    """Every Python file under the folders of `root`; the API reference's snippets are data, not our code."""
    found = []
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            inside = path.relative_to(root).as_posix()
            if not inside.startswith("tests/acceptance/seed/") and "node_modules" not in path.parts:
                text = path.read_text()
                found.append(Source(inside, text, ast.parse(text)))
    return found


def tracked(root: Path) -> list[Path]:
    """Every file of the repository, and every new one that git does not ignore."""
    listing = ["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, text=True, check=True, timeout=30).stdout
    return [root / name for name in names.split("\0") if name and (root / name).is_file()]


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method, however deep."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def public(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    """The public classes and functions of a module, and the public methods of those classes."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)
