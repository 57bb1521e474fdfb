"""Extraction in a child process that has limits on memory and CPU time.

    process.py   the crawl's side: starts the process, waits for it, replaces it
    child.py     the process's side: limits itself, runs tasks; imports no hub
    messages.py  what passes between the two
    extractor.py an Extractor that uses the worker

It stands in `engine` and not in `extract`, which is pure: the one side waits on the
hub, the other makes system calls. What the process runs is in `extract` (`tasks.py`).
"""
