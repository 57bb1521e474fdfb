"""The fixture site: a real server whose pages misbehave on purpose.

    server.py        blocking sockets and threads, control of every byte, a request log
    page.py          what a page is, and what a correct client makes of it
    transport.py ... the pages, a table for each subject
    pages.py         all of them, and the index that links to them
    name_server.py   DNS servers: answers, denials, silence
    other_hosts.py   hosts with wrong names, addresses, ports or certificates
    proxies.py       a proxy, HTTP and SOCKS5
    certificates.py  TLS certificates, right and wrong
    fixtures.py      `site` and `tls_site` for pytest

To run it by hand: `python -m tests.site`. To add a misbehaviour, add a row to the table
of its subject.
"""
