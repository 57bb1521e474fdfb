"""The seeds of the fuzz targets."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.targets import STARTS

SEEDS = Path(__file__).parent / "seeds"


def seeds_of(name: str) -> list[bytes]:
    return STARTS[name] + [
        file.read_bytes() for file in sorted((SEEDS / name).glob("*"))
    ]
