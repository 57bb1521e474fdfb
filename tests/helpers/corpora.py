"""Published test data; a test that needs it is skipped where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(
    os.environ.get("ORBWEB_CORPORA")
    or Path(__file__).parents[2].parent / "shared" / "corpora"
)


def corpus(*parts: str) -> Path:
    """Return the path of a file or folder of the corpora, or skip the calling test.

    If a module calls, the whole module is skipped.
    """
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(
            f"no test data at {path}; set ORBWEB_CORPORA", allow_module_level=True
        )
    return path
