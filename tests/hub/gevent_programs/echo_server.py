"""A server that echoes lines until a client says "quit"; after gevent's echoserver.py.

It prints its port, and ends after as many connections as its argument says.
"""

import sys

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

ended = Event()
expected = int(sys.argv[1])
served = []


def echo(connection, address):
    connection.sendall(b"Welcome! Type quit to exit.\r\n")
    lines = connection.makefile(mode="rb")
    while True:
        line = lines.readline()
        if not line or line.strip().lower() == b"quit":
            break
        connection.sendall(line)
    lines.close()
    served.append(address)
    if len(served) == expected:
        ended.set()


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(16)
server = StreamServer(listener, echo)
server.start()
print(listener.getsockname()[1], flush=True)
with gevent.Timeout(30):
    ended.wait()
server.stop(timeout=5)
print(f"{len(served)} clients", flush=True)
