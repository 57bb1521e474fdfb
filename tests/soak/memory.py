"""`python -m tests.soak.memory [FIRST STEP]`: crawls in every address space.

From FIRST KiB on (18 MB; below that Python does not start) in steps of STEP KiB (256),
up to what a crawl needs. Each must end exact, or with the exit code of a lack of memory
and one sentence, and the resume must be exact.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.helpers.limited_memory import crawl_whole, faults, heavy_site


def main(first: int = 18 * 1024, step: int = 256) -> int:
    codes: Counter[int] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory() as name, heavy_site() as site:
        whole = crawl_whole(site, Path(name) / "whole")
        for limit in range(first, whole.peak_kib + 1024, step):
            code, found = faults(site, Path(name), whole, limit)
            codes[code] += 1
            wrong += bool(found) or code not in (0, 71)
            if found or code not in (0, 71):
                print(f"{limit} KiB: exit {code}, {found}", flush=True)
    print(f"crawls by exit code: {dict(codes)}, wrong: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
