"""Field docstrings: the string after a field of a struct, which Python discards."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from types import ModuleType


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


def field_doc(module: ModuleType, owner: type, field: str) -> str:
    """The docstring of a field of `owner` or of its base classes; "" if it has none."""
    docs = field_docs(module)
    names = ((base.__name__, field) for base in owner.__mro__)
    return next((docs[name] for name in names if name in docs), "")


def _string(node: ast.stmt) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return str(node.value.value)
    return ""
