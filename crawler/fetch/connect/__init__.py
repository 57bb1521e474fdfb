"""How the client reaches a server.

pool            idle connections, by origin                       no I/O
guard           which IP addresses and ports are allowed          no I/O
proxy           which proxy a URL goes through, its protocols     no I/O
happy_eyeballs  the first of several addresses that answers       hub
tunnel          through a proxy to the target: CONNECT, SOCKS5    hub
connection      one open connection                               hub
tls             TLS contexts, sessions, errors in words           hub
connector       opens connections: DNS, guard, TCP, proxy, TLS    hub
"""
