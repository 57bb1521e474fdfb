"""A generated site with what a crawl that keeps contents meets: see `ContentSite`."""

from __future__ import annotations

import json
import random
import zlib

from tests.helpers.generated_site import GeneratedSite

ITEMS = 3
"""A page has fewer items than this, and its own number of them."""


class ContentSite(GeneratedSite):
    """Pages with a heading and items, style sheets that import, JSON, and files.

    Some contents are there under several URLs. Some answers are chunked, some are
    compressed.
    """

    def items(self, url: str) -> list[dict[str, object]]:
        """The items of the page at `url`, each with the fields `name` and `price`."""
        number = zlib.crc32(url.removeprefix(self.url).encode())
        return [
            {"name": f"item {number} {index}", "price": number % 100 + index}
            for index in range(number % ITEMS)
        ]

    def _make_answers(self) -> dict[str, tuple[int, str, bytes]]:
        answers = super()._make_answers()
        more: dict[str, tuple[int, str, bytes]] = {}
        for target, (status, kind, body) in answers.items():
            if (status, kind) != (200, "text/html"):
                continue
            dice = random.Random(f"{self._seed}{target}")
            number = dice.randrange(self._pages // 4)
            style, data = f"/styles/{number}.css", f"/data/{number}.json"
            more[style] = (200, "text/css", _css(number).encode())
            more[f"/styles/more/{number // 3}.css"] = (200, "text/css", _ALL_OF_THEM)
            more[data] = (200, "application/json", _json(number))
            background = f"/images/{number}.png"
            more[background] = answers[background]
            links = f'<link rel=stylesheet href="{style}"><a href="{data}">data</a>'
            if number % 9 == 0:
                file = f"/files/{number}.bin"
                size = dice.randrange(100_000)
                more[file] = (200, "application/zip", dice.randbytes(size))
                links += f'<a href="{file}">file</a>'
            own = "".join(
                f"<div class=item><b>{item['name']}</b> <i>{item['price']}</i></div>"
                for item in self.items(self.url + target)
            )
            text = f"{links}<h1>{target}</h1>{own}"
            more[target] = (status, kind, body + text.encode())
        return answers | more

    def _answer(self, request: str) -> bytes:
        answer = super()._answer(request)
        head, _, body = answer.partition(b"\r\n\r\n")
        how = zlib.crc32(request.split(" ", 2)[1].encode()) % 4
        if not body or how > 1 or request.startswith("GET /robots.txt"):
            return answer
        if how == 0:
            body = zlib.compress(body)
            head += b"\r\nContent-Encoding: deflate"
        length = head[head.index(b"Content-Length:") :].partition(b"\r\n")[0]
        half = len(body) // 2
        chunks = [part for part in (body[:half], body[half:]) if part]
        coded = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in chunks)
        head = head.replace(length, b"Transfer-Encoding: chunked")
        return head + b"\r\n\r\n" + coded + b"0\r\n\r\n"


_ALL_OF_THEM = b"p { color: red }"


def _css(number: int) -> str:
    imported = f"@import url(more/{number // 3}.css);"
    return f"{imported} .a {{ background: url(/images/{number}.png) }} /* {number} */"


def _json(number: int) -> bytes:
    """Two neighbours have the same bytes."""
    return json.dumps({"number": number // 2, "text": "x" * 200}).encode()
