"""Plug-ins that are defined in the program's own main file.

The child process has another main file. So it imports the program's one under the name
MAIN, as `multiprocessing` does, and finds the classes there. A crawl at the top of that
file would begin once more, in the child; `crawl` and `fetch` refuse that.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location

from crawler.model.errors import UsageError

MAIN = "__orbweb_main__"
"""The name of the program's main file in the child process."""


def find_main() -> tuple[str | None, str | None]:
    """File and module name of this program's main file; None, None for a session.

    The module name is known of a program that was started by `python -m`.
    """
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None)
    if file is None or file == "<stdin>":
        return None, None
    return file, None if spec is None else spec.name


def import_main(file: str, module: str | None) -> None:
    """In the child: make the program's main file the main module of this process."""
    sys.modules[MAIN] = sys.modules["__main__"]  # so that it knows where it is
    if module is not None:
        sys.modules["__main__"] = import_module(module)
        return
    spec = spec_from_file_location(MAIN, file)
    assert spec is not None
    assert spec.loader is not None
    main = sys.modules[MAIN] = module_from_spec(spec)
    spec.loader.exec_module(main)
    sys.modules["__main__"] = main


def refuse_in_child() -> None:
    """Raises UsageError where the main file is imported by the child process."""
    if MAIN in sys.modules:
        raise UsageError(
            "a crawl with plug-ins of this file belongs under "
            '`if __name__ == "__main__":`, for a child process imports the file, too'
        )
