"""The HTTP client, from a Request to a Response.

    request     URL -> where it goes, and the bytes of the head         no I/O
    h1          bytes <-> one exchange                                  no I/O
    codings     a table of bounded decoders                             no I/O
    body        the body while it arrives, decoded, held to its limit   no I/O
    conditional what changed, and the rest: validators, ranges          no I/O
    cookies/    RFC 6265bis: what is kept, and what is sent to whom     no I/O
    credentials Basic and Digest: challenges and proofs                 no I/O
    netrc       credentials as a file                                   no I/O
    identity    cookies and credentials: who we are to whom             no I/O
    guard       which addresses may be connected to                     no I/O
    proxy       which proxy for which URL, and what it is told          no I/O
    pool        idle connections by origin                              no I/O
    trace       one exchange as text, without its secrets               no I/O
    progress    stage and times of one request                          no I/O
    budget      a Timeout that ends in a failure of the crawl           hub
    room        what all large bodies may hold together                 hub
    rate        how fast all bodies together may come                   hub
    names/      host -> addresses, by the DNS itself or by the system   hub
    race        the first of several addresses that answers             hub
    tls         trust, our certificate, sessions, failures in words     hub
    tunnel      through a proxy: CONNECT, SOCKS5                        hub
    connection  name, guard, TCP, TLS; one connection                   hub
    client      the way through all of these, and the budget of all     hub

`Client(config.http, named_hosts=...)` is the one way in.
"""
