"""Field docstrings: the string after a field of a struct, which Python discards."""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from types import ModuleType

from msgspec import Struct


@cache
def field_docs(module: ModuleType) -> dict[tuple[str, str], str]:
    """The field docstrings of all classes of `module`, by (class, field)."""
    found = {}
    tree = ast.parse(inspect.getsource(module))
    for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for field, after in zip(node.body, node.body[1:], strict=False):
            text = _string(after)
            if (
                text
                and isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
            ):
                found[node.name, field.target.id] = inspect.cleandoc(text)
    return found


def field_doc(owner: type[Struct], field: str) -> str:
    """The docstring of a field of `owner` or of its base classes; "" if it has none."""
    for base in owner.__mro__[: owner.__mro__.index(Struct)]:
        text = field_docs(sys.modules[base.__module__]).get((base.__name__, field))
        if text is not None:
            return text
    return ""


def _string(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return str(node.value.value)
    return ""
