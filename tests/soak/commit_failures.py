"""`python -m tests.soak.commit_failures`: any statement of a commit fails in any way.

Each fails at its first execution, at one in the middle and at its last, in both rounds
of `tests.helpers.failing_commit`; a resume must be exact. That takes half an hour.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.helpers.failing_commit import KINDS, Rounds


def main() -> int:
    crawls = wrong = 0
    with tempfile.TemporaryDirectory() as place:
        rounds = Rounds(Path(place))
        for number, executed in enumerate(rounds.executed):
            for where, times in sorted(executed.items()):
                for time in sorted({1, times // 2 + 1, times}):
                    for kind in KINDS:
                        crawls += 1
                        if fault := rounds.fault(number, where, time, kind):
                            wrong += 1
                            print(number, where, time, kind, fault, flush=True)
    print(f"{crawls} crawls with a fault, {wrong} not exact")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
