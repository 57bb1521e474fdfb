"""Characters that change what a terminal shows: controls and overrides of direction.

C0 and C1 controls move the cursor, retitle the window or answer on stdin; the bidi
controls and line separators of Unicode make a text read as another (UTS #55). They
arrive in titles, URLs and messages of servers, and are data in a file. On a terminal
they are shown as escapes.
"""

from __future__ import annotations

import re

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def escape_controls(text: str) -> str:
    r"""`text` with its control characters as escapes; tabs and line feeds stay.

    The escapes are those of JSON, so that a line of JSON stays one with the same value.

    >>> escape_controls("a\x9b31m \u202ecba")
    'a\\u009b31m \\u202ecba'
    """
    return _CONTROLS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
