"""Host -> addresses.

    message  questions and answers of the DNS                        no I/O
    cache    what is known of names, and for how long                no I/O
    files    resolv.conf and the hosts file                          no I/O
    system   by the system's resolver; what is mapped by hand        hub
    dns      by the DNS itself, on sockets of ours                   hub

`dns.open_resolver(config)` is the one way in.
"""
