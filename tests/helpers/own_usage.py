"""Runs the program, and says what its own process has used, without its children.

`python -m tests.helpers.own_usage FILE ARGUMENT...` writes to FILE, as JSON: CPU time
`cpu` (s), peak memory `mb`, how often it was woken (`wakes`), and whether it has
loaded a library that makes trees (`trees`).
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from crawler.cli import main


def peak_mb() -> float:
    """The peak of this program. `ru_maxrss` has that of what started it, if larger."""
    status = Path("/proc/self/status").read_text()
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) / 1024


def run(file: Path, arguments: list[str]) -> int:
    sys.argv = ["orbweb", *arguments]
    code: object = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code
    used = resource.getrusage(resource.RUSAGE_SELF)
    usage = {
        "cpu": used.ru_utime + used.ru_stime,
        "mb": peak_mb(),
        "wakes": used.ru_nvcsw,
        "trees": "lxml.etree" in sys.modules,
    }
    file.write_text(json.dumps(usage))
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), sys.argv[2:]))
