"""gevent's and CPython's own tests, from the installed packages, run on the hub.

alias.py    presents the hub under gevent's names
stdlib.py   puts the hub's versions in place of the standard library's modules
child.py    runs one test module in a process and reports how each test ended
table.toml  the tests that are left out or fail, each group with its reason
recorded/   how the same tests end on gevent itself
"""
