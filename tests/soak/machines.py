"""`python -m tests.soak.machines [HOSTS [PAGES [FAULTS [MACHINES [PROCESSES]]]]]`.

Two machines of two processes, each with a folder of its own, crawl 2,000 hosts by a
server of Valkey. At 30 random moments something gets SIGKILL: the server, which has its
data or not when it is back; a process; the parent of a machine, which is started again.
Beside it a crawl of one process: the records must be equal, field by field, but for
their order and times. Prints how many they are, and fails otherwise.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.helpers.killed_fleet import OPTIONS, endings, run
from tests.helpers.machines import Machines
from tests.helpers.many_hosts import ManyHosts
from tests.helpers.valkey import ValkeyProcess


def main(
    hosts: int = 2000,
    pages: int = 20_000,
    faults: int = 30,
    machines: int = 2,
    processes: int = 2,
) -> int:
    site = ManyHosts(hosts, pages, pictures=20)
    seed = time.time_ns() % 10_000
    failed = False
    with tempfile.TemporaryDirectory() as place:
        one = Path(place) / "one"
        assert run("crawl", site.url(0), *OPTIONS, "-d", str(one)) == 0
        expected = endings(one)
        print(f"seed {seed}: {sum(expected.values())} records of one process")
        for forgets in (False, True):
            there = Path(place) / f"forgets-{forgets}"
            (there / "server").mkdir(parents=True)
            server = ValkeyProcess(there / "server", persists=not forgets)
            crawl = Machines(site, there, server, machines, processes)
            crawl.begin(shards=2 * machines * processes)
            done = crawl.fail(faults, Random(seed), forgets=forgets)
            codes = crawl.wait()
            server.kill()
            found = crawl.endings()
            lost, others = (expected - found).total(), (found - expected).total()
            how = "forgets all" if forgets else "has its data"
            print(f"a server that {how}: {done} faults, exit codes {codes}, ", end="")
            print(f"lost {lost}, twice or others {others}")
            failed |= found != expected or any(codes)
    site.stop()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
