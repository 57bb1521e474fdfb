"""The least that downloads pictures: aiohttp, a hash, and a file for each.

    python -m tests.benchmarks.peers.pictures_aiohttp URL FOLDER

It takes the links from the page at URL and the pictures from the pages that it links
to, 32 at a time, and checks nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from pathlib import Path
from urllib.parse import urljoin

import aiohttp

_TARGETS = re.compile(r'(?:href|src)="([^"]+)"').findall


async def main(url: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    places = asyncio.Semaphore(32)
    async with aiohttp.ClientSession() as session:

        async def body(address: str) -> bytes:
            async with places, session.get(address) as response:
                return await response.read()

        async def keep(address: str) -> None:
            content = await body(address)
            name = hashlib.sha256(content).hexdigest()
            (folder / name).write_bytes(content)

        async def page(address: str) -> None:
            shown = _TARGETS((await body(address)).decode())
            await asyncio.gather(*(keep(urljoin(address, one)) for one in shown))

        pages = _TARGETS((await body(url)).decode())
        await asyncio.gather(*(page(urljoin(url, one)) for one in pages))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
