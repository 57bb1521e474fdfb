"""aiohttp: worker tasks on one session, lxml."""

import asyncio

import aiohttp

from tests.benchmarks.peers import CONCURRENCY
from tests.benchmarks.peers.lean import LeanCrawl


async def work(
    session: aiohttp.ClientSession, lean: LeanCrawl, todo: "asyncio.Queue[str]"
) -> None:
    while True:
        url = await todo.get()
        async with session.get(url, allow_redirects=False) as answer:
            body = await answer.read()
        lean.take(url, answer.status, answer.headers.get("content-type", ""), body)
        while lean.todo:
            todo.put_nowait(lean.todo.popleft())
        todo.task_done()


async def main() -> None:
    lean = LeanCrawl.from_arguments()
    todo: asyncio.Queue[str] = asyncio.Queue()
    todo.put_nowait(lean.todo.popleft())
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONCURRENCY),
        skip_auto_headers=["Accept-Encoding"],
    ) as session:
        workers = [
            asyncio.create_task(work(session, lean, todo)) for _ in range(CONCURRENCY)
        ]
        await todo.join()
        for worker in workers:
            worker.cancel()
    lean.close()


if __name__ == "__main__":
    asyncio.run(main())
