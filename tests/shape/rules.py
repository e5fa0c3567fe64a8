"""The house rules as functions: each takes a source and returns its findings; no finding means the rule is kept."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator

from tests.shape.tree import Function, Source, functions, public

LINES = 500
FUNCTION_LINES = 60
PARAMETERS = 8
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "base"}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.getenvb"}
BROAD = {"Exception", "BaseException"}

Rule = Callable[[Source], Iterable[str]]


def short_files(source: Source) -> Iterator[str]:
    """At most LINES lines a file."""
    count = len(source.text.splitlines())
    if count > LINES:
        yield f"{source.path}: {count} lines, more than {LINES}"


def short_functions(source: Source) -> Iterator[str]:
    """At most FUNCTION_LINES lines a function."""
    for function in functions(source.tree):
        count = (function.end_lineno or function.lineno) - function.lineno + 1
        if count > FUNCTION_LINES:
            yield source.at(function, f"{function.name} has {count} lines, more than {FUNCTION_LINES}")


def few_parameters(source: Source) -> Iterator[str]:
    """At most PARAMETERS parameters a function, `self` and `cls` not counted."""
    for function in functions(source.tree):
        given = function.args
        names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
        count = len([name for name in names if name not in ("self", "cls")])
        if count > PARAMETERS:
            yield source.at(function, f"{function.name} has {count} parameters, more than {PARAMETERS}")


def docstrings(source: Source) -> Iterator[str]:
    """A docstring on every module, public class, public function and public method."""
    if ast.get_docstring(source.tree) is None:
        yield f"{source.path}: the module has no docstring"
    for node in public(source.tree.body):
        if ast.get_docstring(node) is None:
            yield source.at(node, f"{node.name} has no docstring")


def telling_names(source: Source) -> Iterator[str]:
    """No module, folder or class whose name says nothing of its job."""
    for part in source.path.removesuffix(".py").split("/"):
        if FORBIDDEN_NAMES & set(part.lower().split("_")):
            yield f"{source.path}: the name {part} does not say the job"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", node.name)
            if FORBIDDEN_NAMES & {word.lower() for word in words}:
                yield source.at(node, f"the name {node.name} does not say the job")


def no_environment(source: Source) -> Iterator[str]:
    """No read of the environment."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ENVIRONMENT:
            yield source.at(node, f"{ast.unparse(node)} reads the environment")
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{name.name}" for name in node.names}
            for name in sorted(names & ENVIRONMENT):
                yield source.at(node, f"{name} is imported")


def no_print(source: Source) -> Iterator[str]:
    """No `print`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield source.at(node, "print")


def no_keyword_catch_all(source: Source) -> Iterator[str]:
    """No `**kwargs` in the signature of anything public."""
    for node in public(source.tree.body):
        members = (node, *node.body) if isinstance(node, ast.ClassDef) else (node,)
        for one in members:
            made = isinstance(one, Function) and (one is node or one.name in ("__init__", "__call__", "__new__"))
            if made and isinstance(one, Function) and one.args.kwarg is not None:
                yield source.at(one, f"{one.name} takes **{one.args.kwarg.arg}")


def no_lost_tasks(source: Source) -> Iterator[str]:
    """No task whose handle is thrown away: it may be collected while it runs, and its failure is never seen."""
    for node in ast.walk(source.tree):
        lost = isinstance(node, ast.Expr) or (
            isinstance(node, ast.Assign)
            and all(isinstance(target, ast.Name) and target.id == "_" for target in node.targets)
        )
        if not lost or not isinstance(call := getattr(node, "value", None), ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        if name in ("create_task", "ensure_future") and (owner in ("", "asyncio") or "loop" in owner):
            yield source.at(node, f"the task of {name} is thrown away")


def no_swallowed_exceptions(source: Source) -> Iterator[str]:
    """No broad exception that is caught without being raised, recorded or used."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _names(node.type) & BROAD and not _acts(node):
            yield source.at(node, "a broad exception is caught and ignored")
        suppresses = isinstance(node, ast.Call) and ast.unparse(node.func) in ("suppress", "contextlib.suppress")
        if isinstance(node, ast.Call) and suppresses and BROAD & {ast.unparse(one) for one in node.args}:
            yield source.at(node, "a broad exception is suppressed")


def _names(caught: ast.expr | None) -> set[str]:
    if caught is None:
        return {"BaseException"}
    return {ast.unparse(one) for one in (caught.elts if isinstance(caught, ast.Tuple) else [caught])}


def _acts(handler: ast.ExceptHandler) -> bool:
    """Whether the handler raises, or does something with what it caught or about it."""
    inside = [inner for statement in handler.body for inner in ast.walk(statement)]
    raised = any(isinstance(inner, ast.Raise) for inner in inside)
    used = any(isinstance(inner, ast.Name) and inner.id == handler.name for inner in inside)
    logged = any(isinstance(inner, ast.Attribute) and inner.attr in ("exception", "error") for inner in inside)
    return raised or used or logged


def no_side_effects(source: Source) -> Iterator[str]:
    """No call for its effect, no loop and no `with` when a module is imported, and no `global` anywhere."""
    for node in source.tree.body:
        called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await)
        if called or isinstance(node, ast.For | ast.While | ast.With):
            yield source.at(node, "importing the module does something")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Global):
            yield source.at(node, f"global {', '.join(node.names)}")
