"""gevent: a Pool of workers, each with a connection of its own, httptools, lxml."""

import gevent
import httptools
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool

from tests.benchmarks.peers import CONCURRENCY
from tests.benchmarks.peers.lean import LeanCrawl


class Answer:
    """The callbacks of httptools that collect one response."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.content_type = ""
        self.body: list[bytes] = []
        self.complete = False
        self.keep_alive = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.content_type = value.decode()

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        self.keep_alive = self.parser.should_keep_alive()
        self.complete = True


class Crawl:
    """The workers; idle ones wait for `more` until all of them are idle."""

    def __init__(self, lean: LeanCrawl) -> None:
        self.lean = lean
        self.busy = 0
        self.more = Event()

    def run(self) -> None:
        pool = Pool(CONCURRENCY)
        for _ in range(CONCURRENCY):
            pool.spawn(self.work)
        pool.join()
        self.lean.close()

    def work(self) -> None:
        connection = None
        while self.lean.todo or self.busy:
            if not self.lean.todo:
                self.more.clear()
                self.more.wait()
                continue
            url = self.lean.todo.popleft()
            self.busy += 1
            connection = connection or self.connect()
            answer = self.fetch(connection, url)
            self.lean.take(
                url,
                answer.parser.get_status_code(),
                answer.content_type,
                b"".join(answer.body),
            )
            if not answer.keep_alive:
                connection.close()
                connection = None
            self.busy -= 1
            self.more.set()

    def connect(self) -> socket.socket:
        connection = socket.create_connection((self.lean.host, self.lean.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def fetch(self, connection: socket.socket, url: str) -> Answer:
        connection.sendall(self.lean.request(url))
        answer = Answer()
        while not answer.complete:
            data = connection.recv(262144)
            if not data:
                raise ConnectionResetError(url)
            answer.parser.feed_data(data)
        return answer


if __name__ == "__main__":
    gevent.spawn(Crawl(LeanCrawl.from_arguments()).run).get()
