"""Writes docs/hub/reference.md from the docstrings of the hub.

    python -m docs.hub.reference

It lists the public names of the public modules: functions with their signatures, and
classes with the methods and attributes that the hub defines, inherited ones included.
Signatures are those of the source, so that each version of Python writes the same.
"""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, get_overloads

import hub

TARGET = Path(__file__).with_name("reference.md")
MODULES = [*sorted(hub._MODULES), "testing"]

LATER_STANDARD = {"ShutDown": "the standard library's, from Python 3.13 on"}
"""Names that only some versions of Python leave to the hub."""

NEWER = {"get_unverified_chain", "get_verified_chain"}
"""Methods that only newer versions of Python have."""

HEAD = """\
# Reference

Made from the docstrings by `python -m docs.hub.reference`; change them, not this file.
Times are in seconds. A `Limit` is a number of seconds, a Timeout, or None for no limit.
"""


def reference() -> str:
    """The whole text."""
    modules = [hub, *(importlib.import_module(f"hub.{name}") for name in MODULES)]
    links = ", ".join(
        f"[{each.__name__}](#{each.__name__.replace('.', '')})" for each in modules
    )
    described: dict[int, str] = {}
    parts = [HEAD, links + "\n"]
    for module in modules:
        parts += of_module(module, described)
    return "\n".join(parts)


def of_module(module: ModuleType, described: dict[int, str]) -> Iterator[str]:
    """The section of a module. A name that another section has is only listed."""
    yield f"## {module.__name__}\n\n{document(module)}\n"
    elsewhere = []
    for name in public(module):
        value = getattr(module, name)
        if name in LATER_STANDARD:
            elsewhere.append(f"`{name}` ({LATER_STANDARD[name]})")
        elif isinstance(value, ModuleType) or not is_ours(value):
            continue
        elif not callable(value):
            yield from of_constant(f"{module.__name__}.{name}", module)
        elif id(value) in described:
            other = described[id(value)]
            same = other.rpartition(".")[2] == name
            elsewhere.append(f"`{other}`" if same else f"`{name}`, as `{other}`")
        else:
            described[id(value)] = f"{module.__name__}.{name}"
            yield from of_name(f"{module.__name__}.{name}", value)
    if elsewhere:
        yield f"Also here: {'; '.join(sorted(elsewhere))}.\n"


def public(module: ModuleType) -> list[str]:
    """The names of a module, or what it holds if it has no list; aliases last."""
    names: list[str] = getattr(module, "__all__", None) or sorted(vars(module))
    names = [name for name in names if not name.startswith("_")]
    return sorted(names, key=lambda name: is_alias(getattr(module, name), name))


def is_alias(value: Any, name: str) -> bool:
    """Whether it has another name of its own, or is not always the hub's."""
    return name in LATER_STANDARD or getattr(value, "__name__", name) != name


def is_ours(value: Any) -> bool:
    """Whether the hub defines it. An object that does not say so may be a constant."""
    module = getattr(value, "__module__", None)
    return str(module or "hub").partition(".")[0] == "hub"


def of_name(name: str, value: Any) -> Iterator[str]:
    """A function or a class."""
    if isinstance(value, type):
        yield f"### class {name}\n\n{signatures(name, value)}{document(value)}\n"
        yield from of_members(value)
    else:
        yield f"### {name}\n\n{signatures(name, value)}{document(value)}\n"


def of_constant(name: str, module: ModuleType) -> Iterator[str]:
    """A constant, if it has a docstring."""
    texts = attributes_of(ast.parse(inspect.getsource(module)))
    text = texts.get(name.rpartition(".")[2])
    if text is not None:
        yield f"### {name}\n\n{text}\n"


def of_members(kind: type) -> Iterator[str]:
    """The public members that classes of the hub define, sorted by their names."""
    found: dict[str, str] = {}
    for base in kind.__mro__:
        if not base.__module__.startswith("hub"):
            continue
        for name, value in vars(base).items():
            if name.startswith("_") or name in found or name in NEWER:
                continue
            text = of_member(name, value)
            if text is not None:
                found[name] = text
        for name, text in attributes_of(tree_of(base)).items():
            if not name.startswith("_"):
                found.setdefault(name, f"**`{name}`**\n\n{text}\n")
    for name in sorted(found):
        yield found[name]


def of_member(name: str, value: Any) -> str | None:
    """A method or a property; None for anything else."""
    if isinstance(value, property):
        return f"**`{name}`**\n\n{document(value)}\n"
    function = getattr(value, "__func__", value)
    if not inspect.isfunction(function):
        return None
    if function.__name__ != name:
        return f"**`{name}`**\n\nThe same as `{function.__name__}`.\n"
    return f"{signatures(name, function, method=True)}{document(function)}\n"


def signatures(name: str, value: Any, method: bool = False) -> str:
    """The lines with the signature; one for each overload."""
    name = name.rpartition(".")[2]
    if isinstance(value, type):
        method, value = True, constructor(value)
    value = inspect.unwrap(value)
    if inspect.ismethod(value):
        method, value = True, value.__func__
    if not inspect.isfunction(value):
        return ""
    texts = [signature(name, each, method) for each in get_overloads(value) or [value]]
    return "".join(f"**`{text}`**\n\n" for text in texts)


def constructor(kind: type) -> Callable[..., Any] | None:
    """What takes the arguments of the class, if the hub has written it."""
    for base in kind.__mro__:
        for name in ("__init__", "__new__"):
            function = vars(base).get(name)
            if function is not None:
                function = getattr(function, "__func__", function)
                mine = base.__module__.startswith("hub")
                return function if mine and inspect.isfunction(function) else None
    return None


def signature(name: str, function: Callable[..., Any], method: bool) -> str:
    """``name(arguments) -> result``, as the source has it."""
    node = tree_of(function)
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return f"{name}(...)"
    arguments = node.args
    if method and "staticmethod" not in map(ast.unparse, node.decorator_list):
        del (arguments.posonlyargs or arguments.args)[:1]
    result = ast.unparse(node.returns) if node.returns else "None"
    kind = "async " if isinstance(node, ast.AsyncFunctionDef) else ""
    text = ast.unparse(arguments).removeprefix("/, ").replace('"', "").replace("'", "")
    shown = "" if node.name in ("__init__", "__new__") else f" -> {result}"
    return f"{kind}{name}({text}){shown}".replace('"', "").replace("'", "")


def tree_of(thing: Any) -> ast.AST:
    """The syntax tree of a class or function; an empty one for a generated function."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    except OSError:
        return ast.Module(body=[], type_ignores=[])


def attributes_of(tree: ast.AST) -> dict[str, str]:
    """The attributes that have a docstring, which is a string on the next line."""
    found = {}
    for node in ast.walk(tree):
        body = getattr(node, "body", [])
        for one, after in pairwise(body if isinstance(body, list) else ()):
            text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            target = getattr(one, "target", None) or getattr(one, "targets", [None])[0]
            if text and isinstance(target, ast.Name | ast.Attribute):
                name = target.id if isinstance(target, ast.Name) else target.attr
                found[name] = inspect.cleandoc(str(after.value.value))
    return found


def document(thing: Any) -> str:
    """The docstring that belongs to it; LookupError if there is none."""
    text = thing.__dict__.get("__doc__") if isinstance(thing, type) else thing.__doc__
    if not text:
        raise LookupError(f"{thing!r} has no docstring")
    return inspect.cleandoc(text)


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
