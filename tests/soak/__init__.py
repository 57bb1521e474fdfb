"""Long crawls through faults: nothing may be left over, and nothing may be lost.

faults.py      a process with a site, and a proxy before it that injects faults
crawls.py      one crawl after the other through it, with counts after each
test_soak.py   a few of them, for the suite
__main__.py    `python -m tests.soak SECONDS`
commit_failures.py
               every statement of a commit fails in every way
memory.py      `python -m tests.soak.memory`: crawls in every address space
day.py         a day of virtual time on the simulated network
"""
