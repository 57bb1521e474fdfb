"""robots.txt (RFC 9309), read by Protego. No I/O."""

from __future__ import annotations

from protego import Protego

MAX_BYTES = 500 * 1024
"""Section 2.5: at least 500 KiB are read; of a longer file, exactly these."""


class Robots:
    """The rules of one robots.txt for one agent."""

    def __init__(self, body: bytes, agent: str) -> None:
        text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
        self._rules = Protego.parse(text)
        self._agent = agent
        self._lines = text.splitlines()
        self.agent_matched: str | None = None
        self.crawl_delay: float | None = self._rules.crawl_delay(agent)
        self.sitemaps: tuple[str, ...] = tuple(self._rules.sitemaps)
        self.rules_count = sum(map(_is_rule, self._lines))

    def allowed(self, url: str) -> tuple[bool, str]:
        """Whether `url` may be asked for, and the line that decides if not."""
        if self._rules.can_fetch(url, self._agent):
            return True, ""
        return False, self._deciding_line(url)

    def _deciding_line(self, url: str) -> str:
        """The longest rule that forbids the URL by itself: Protego does not tell which did."""
        deciding = max(
            (
                (len(line), number, line.strip())
                for number, line in enumerate(self._lines, 1)
                if _is_rule(line)
                and not Protego.parse(f"User-agent: *\n{line}").can_fetch(url, self._agent)
            ),
            default=(0, 0, "Disallow"),
        )
        return f"robots.txt:{deciding[1]} {deciding[2]}"


def _is_rule(line: str) -> bool:
    return line.lstrip().lower().startswith(("allow", "disallow"))


def parse(body: bytes, agent: str) -> Robots:
    """The rules of a robots.txt for `agent`."""
    return Robots(body, agent)
