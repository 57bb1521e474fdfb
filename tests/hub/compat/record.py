"""Record how the tests end on gevent itself, for this version of Python.

    python -m tests.hub.compat.record [MODULE ...]

writes recorded/VERSION.toml. A test that hangs on gevent is left out of the next try.
"""

import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hub.compat.child import PASSED
from tests.hub.compat.runs import HUNG, Outcomes, run
from tests.hub.compat.table import MODULES, RECORDED


def on_gevent(module: str) -> Outcomes:
    """All tests of ``module``; those that hang are `HUNG`."""
    hung: set[str] = set()
    while not (outcomes := run("gevent", module, left_out=hung)).complete:
        found = outcomes.named(HUNG)
        if not found:
            raise RuntimeError(outcomes.texts[""])
        print(f"{module}: hung in {found}", flush=True)
        hung |= found
    outcomes.update(dict.fromkeys(hung, HUNG))
    return outcomes


def text(module: str, outcomes: Outcomes) -> str:
    """A table of TOML: how many pass, and the names of all others."""
    lines = [f'["{module}"]', f"passed = {len(outcomes.named(PASSED))}"]
    for outcome in sorted({*outcomes.values()} - {PASSED}):
        names = "".join(f"    {name!r},\n" for name in sorted(outcomes.named(outcome)))
        lines.append(f"{outcome} = [\n{names}]")
    return "\n".join(lines).replace("'", '"') + "\n"


def main(modules: list[str]) -> None:
    """See the module's docstring."""
    chosen = modules or MODULES
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(chosen, pool.map(on_gevent, chosen), strict=True))
    path = Path(RECORDED)
    known: dict[str, str] = {}
    if path.exists():
        for part in path.read_text().split("\n\n"):
            known[next(iter(tomllib.loads(part)))] = part.rstrip() + "\n"
    known |= {module: text(module, outcomes) for module, outcomes in found.items()}
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(known[module] for module in sorted(known)))


if __name__ == "__main__":
    main(sys.argv[1:])
