"""Extraction in child processes that have limits on memory and CPU time.

    pool.py      the crawl's side: hands orders to processes, starts and replaces them
    process.py   one process and the sockets to it, as the crawl sees it
    child.py     the process's side: limits itself, runs tasks; imports no hub
    messages.py  what passes between the two
    extractor.py an Extractor that uses the pool

It stands in `engine` and not in `extract`, which is pure: the one side waits on the
hub, the other makes system calls. What the process runs is in `extract` (`tasks.py`),
and for pages in `engine/page_task.py`.

Trust. The process has read untrusted bytes, and a defect in a library written in C may
make it say anything. So its answers are bounded and typed, and no class is named in
them. They may contain the links of a page, and the crawl follows those. That gives such
a process nothing that its page did not have: a page can name any URL, and each URL from
the process passes the same checks as one from a page that the crawl has read (private
addresses, scope, robots.txt, limits). For that `extract/html/bounds.py` refuses what
could mean more: a kind of link for which a check makes an exception, a URL that is not
canonical, and more or larger values than the reader makes. What an answer can do is lie
about its page: in text, fields and links. (System calls of the process are not limited;
its privileges are those of the user.)
"""
