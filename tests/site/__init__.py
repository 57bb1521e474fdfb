"""The fixture site: a real server that misbehaves on purpose, one page for each way.

    server.py        blocking sockets and threads, raw control over the bytes, a log of requests
    page.py          what a page is, and what a right client makes of it
    transport.py ... the pages, a table for each subject
    pages.py         all of them, and the index that links to all
    names.py         name servers: answers, denials, silence
    proxies.py       a proxy, HTTP and SOCKS5
    certificates.py  TLS, right and wrong
    fixtures.py      `site` and `tls_site` for pytest

By hand: `python -m tests.site`. To add a misbehaviour, add a row to its subject's
table.
"""
