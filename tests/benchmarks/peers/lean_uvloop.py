"""uvloop: bare protocols without coroutines, httptools, lxml.

Python's fastest option.
"""

import asyncio
from typing import cast

import httptools
import uvloop

from tests.benchmarks.peers import CONCURRENCY
from tests.benchmarks.peers.lean import LeanCrawl


class Crawl:
    """Assigns URLs to connections, and replaces connections that the server closed."""

    def __init__(self, lean: LeanCrawl) -> None:
        self.lean = lean
        self.busy = 0
        self.idle: list[Connection] = []
        # Held here, because the loop references tasks weakly.
        self.connecting: asyncio.Future[None] | None = None
        self.finished = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        for _ in range(CONCURRENCY):
            await self.connect()
        await self.finished
        self.lean.close()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(
            lambda: Connection(self), self.lean.host, self.lean.port
        )

    def assign(self) -> None:
        while self.idle and self.lean.todo:
            self.busy += 1
            self.idle.pop().request(self.lean.todo.popleft())
        if not self.busy and not self.lean.todo and not self.finished.done():
            self.finished.set_result(None)


class Connection(asyncio.Protocol):
    """One connection, and the response in progress on it."""

    def __init__(self, crawl: Crawl) -> None:
        self.crawl = crawl

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        self.parser = httptools.HttpResponseParser(self)
        self.free()

    def free(self) -> None:
        self.crawl.idle.append(self)
        self.crawl.assign()

    def request(self, url: str) -> None:
        self.url = url
        self.content_type = ""
        self.body: list[bytes] = []
        self.transport.write(self.crawl.lean.request(url))

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.content_type = value.decode()

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        self.crawl.busy -= 1
        status = self.parser.get_status_code()
        self.crawl.lean.take(self.url, status, self.content_type, b"".join(self.body))
        if self.parser.should_keep_alive():
            self.free()
        else:
            self.transport.close()
            self.crawl.connecting = asyncio.ensure_future(self.crawl.connect())
            self.crawl.assign()


async def main() -> None:
    await Crawl(LeanCrawl.from_arguments()).run()


if __name__ == "__main__":
    uvloop.run(main())
