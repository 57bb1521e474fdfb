"""A gallery whose pictures are named by a JSON directory alone, in several shapes."""

from __future__ import annotations

import json
import zlib
from typing import Any
from urllib.parse import parse_qs

from tests.helpers.crawling import png
from tests.site.page import reply
from tests.site.server import Exchange, Handler, Site

PER_ANSWER = 20


def entry(number: int) -> dict[str, Any]:
    return {
        "path": f"/picture/{number}",
        "thumb": f"/thumb/{number}.png",
        "name": f"picture {number}",
        "user": {"name": f"user {number % 7}"},
        "likes": number * 3,
    }


def picture(exchange: Exchange) -> None:
    """A picture that no other number has."""
    number = int(exchange.arg("0"))
    colour = f"#{zlib.crc32(b'%d' % number) & 0xFFFFFF:06x}"
    reply(png(2 + number % 50, 2 + number // 50, colour), "image/png")(exchange)


def answers(count: int, seen: list[str]) -> dict[str, Handler]:
    """The pages of a gallery with `count` pictures; `seen` gets the requests."""

    def part(first: int, more: dict[str, Any]) -> Handler:
        last = min(count, first + PER_ANSWER)
        data = [entry(number) for number in range(first, last)]
        return reply(json.dumps({"data": data, **more}), "application/json")

    def number(exchange: Exchange, name: str, default: str) -> int:
        seen.append(exchange.hit.target)
        return int(parse_qs(exchange.query).get(name, [default])[0])

    def pages(exchange: Exchange) -> None:
        page = number(exchange, "page", "1")
        part((page - 1) * PER_ANSWER, {})(exchange)

    def offsets(exchange: Exchange) -> None:
        part(number(exchange, "offset", "0"), {})(exchange)

    def cursors(exchange: Exchange) -> None:
        seen.append(exchange.hit.target)
        text = parse_qs(exchange.query).get("after", ["c+0"])[0]
        first = int(text.removeprefix("c+"))
        following = f"c+{first + PER_ANSWER}" if first + PER_ANSWER < count else None
        part(first, {"paging": {"next": following}})(exchange)

    def nexts(exchange: Exchange) -> None:
        first = number(exchange, "from", "0")
        more = first + PER_ANSWER
        links = {"next": f"/nexts?from={more}"} if more < count else {}
        part(first, {"links": links})(exchange)

    return {
        "pages": pages,
        "offsets": offsets,
        "cursors": cursors,
        "nexts": nexts,
        "picture": picture,
    }


def gallery(count: int, seen: list[str]) -> Site:
    return Site(answers(count, seen))
