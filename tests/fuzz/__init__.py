"""Fuzzing: bytes of anybody against everything that reads them.

targets.py     what is fed, and what must hold whatever it is fed
mutation.py    inputs out of inputs
seeds/         inputs that once reached new code, or broke something; the tests feed them all
test_fuzz.py   a bounded run for the suite
__main__.py    the long run: `python -m tests.fuzz SECONDS [TARGET]...` keeps what it finds
"""
