"""Recognizes another package with the name of one of this project: `hub` or `crawler`.

Both names are common, and Python takes the first package that it finds. A package in a
folder that comes first on the module path (PYTHONPATH, or the current folder of
`python -m crawler`) is found by its path before anything of it is imported: the check
costs one look-up that the import itself would do. It asks `sys.meta_path`, as the
import does, because importlib.util would be one more module at every start. A
distribution that is installed over ours has the right path, and is recognized when a
name of ours is missing in it.

A foreign `crawler` keeps this file from running at all. `cli.py` checks that name; the
`orbweb` script cannot, because its first line imports `crawler.cli`.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

PARENT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
"""The folder that holds our packages."""

_OUR_NAMES = {"hub": "get_hub", "crawler": "__version__"}
"""A name that each of our packages defines."""


def shadowing_error(name: str, parent: str = PARENT) -> str:
    """A sentence for the user if `name` is not the package in `parent`, else ""."""
    spec = next(
        filter(None, (one.find_spec(name, None) for one in sys.meta_path)), None
    )
    expected = os.path.join(parent, name, "__init__.py")
    if spec is None:
        return f"the package {name!r} is missing at {expected}; reinstall orbweb"
    found = spec.origin or str(spec.submodule_search_locations)
    if os.path.realpath(found) == expected:
        return ""
    return (
        f"another package named {name!r} was found at {found} instead of {expected}; "
        "take its folder off PYTHONPATH, or start orbweb in another folder"
    )


def overwriting_error(error: Exception) -> str:
    """A sentence for the user if `error` comes from an overwritten package, else ""."""
    if isinstance(error, ImportError):
        module = sys.modules.get(error.name or "")
    elif isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        module = error.obj
    else:
        return ""
    if module is None or module.__name__ not in _OUR_NAMES:
        return ""
    if hasattr(module, _OUR_NAMES[module.__name__]):
        return ""
    return (
        f"the package {module.__name__!r} at {module.__file__} does not belong to "
        "orbweb; install orbweb into a virtual environment of its own"
    )
