"""Host names to IP addresses.

    message   questions and answers of the DNS                         no I/O
    cache     the addresses of names, and for how long they are valid  no I/O
    files     resolv.conf and the hosts file                           no I/O
    servers   the name servers, and in which order to query them         no I/O
    query     one attempt: questions to one server, by UDP and TCP     hub
    system    the system's resolver; hosts mapped by the user          hub
    resolver  the DNS resolver, which puts all of these together       hub

`resolver.open_resolver(config, clock)` is the entry point.
"""
