"""The fetch room: the HTTP client, from a Request to a Response (see README.md).

    target         the parts of a URL that a request needs               no I/O
    exchange_text  an exchange as text, without secrets                  no I/O
    timeline       the stage and the timings of one request              no I/O
    http1/         HTTP/1.1 as bytes and values                          no I/O
    conditional    conditional requests and resumed bodies               no I/O
    cookies/       cookies (RFC 6265bis)                                 no I/O
    auth/          cookies and credentials of requests                   no I/O
    deadline       a time limit that raises a failure of the crawl       hub
    bandwidth      the bandwidth limiter                                 hub
    body_memory    the memory limit of all bodies in flight              hub
    dns/           host names to IP addresses                            hub
    connect/       connections: guard, proxy, TCP, TLS, pool             hub
    transport      one exchange on a connection, and its listeners       hub
    client         fetch(): exchanges, authentication, resumed bodies    hub

`Client(config.http, named_hosts=...)` is the entry point.
"""
