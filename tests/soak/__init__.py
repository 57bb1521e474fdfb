"""Crawling through faults for a long time: nothing may be left over, nothing may be
lost.

faults.py      a process with a site and, before it, a proxy that injects faults
crawls.py      one crawl after the other through it, counted and weighed
test_soak.py   a few of them, for the suite
__main__.py    `python -m tests.soak SECONDS`
day.py         a day of virtual time on the simulated network
"""
