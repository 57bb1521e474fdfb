"""Fuzzing: random bytes for every function that reads bytes from outside.

targets.py     the functions, and what must hold for any input
mutation.py    new inputs from known ones
seeds/         inputs that once reached new code or broke a target; tests run them
test_fuzz.py   a bounded run for the suite
__main__.py    the long run: `python -m tests.fuzz SECONDS [TARGET]...`
"""
