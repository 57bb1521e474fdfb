"""gevent's and CPython's own tests, taken from the installed packages and run on the
hub.

alias.py    presents the hub under gevent's names, and puts the twins in place of modules
child.py    runs one test module in a process of its own and says how each test ended
table.toml  the tests that are left out or fail, each group with its reason
recorded/   how the same tests end on gevent itself
"""
