"""Extraction in child processes that have limits on memory and CPU time.

    pool.py      the crawl's side: hands orders to processes, starts and replaces them
    process.py   one process and the sockets to it, as the crawl sees it
    child.py     the process's side: limits itself, runs tasks; imports no hub
    messages.py  what passes between the two
    extractor.py an Extractor that uses the pool

It stands in `engine` and not in `extract`, which is pure: the one side waits on the
hub, the other makes system calls. What the process runs is in `extract` (`tasks.py`).
"""
