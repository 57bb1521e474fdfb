"""Where the published test data lies; tests that need it skip where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(
    os.environ.get("ORBWEB_CORPORA")
    or Path(__file__).parents[2].parent / "shared" / "corpora"
)


def corpus(*parts: str) -> Path:
    """The file or folder of the corpora, or a skip of the test (or the module) that
    asks."""
    path = ROOT.joinpath(*parts)
    if not path.exists():
        pytest.skip(
            f"no test data at {path}; set ORBWEB_CORPORA", allow_module_level=True
        )
    return path
