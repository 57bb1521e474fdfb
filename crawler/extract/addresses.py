"""Whether a piece of text is the address of a picture: by its ending, or by its path.

Scripts keep the addresses of pictures wherever they like: in attributes of any name, in
JSON, in lists. What such a place holds decides, not its name alone. The test is strict,
because each wrong answer is a request for nothing: a text counts if its path ends as
the file of a picture does, if it leads through a server that scales pictures, or if its
query names a picture.
"""

from __future__ import annotations

import re

_ENDINGS = r"jpe?g|jpe|jfif|a?png|gif|webp|avif|hei[cf]|svg|bmp|ico|tiff?|jxl"
_PICTURE = re.compile(
    # "x.jpg!thumb", "x.jpg@2x" and "x.jpg:large" are versions that a server makes
    rf"\.(?:{_ENDINGS})(?:[!@:][\w!.,@-]*)?(?:[?#]|\Z)"
    # the picture is named in the query, or its format is
    rf"|[?&](?:url|u|src|source|image|img|file|path|photo)=[^&#?]*\.(?:{_ENDINGS})(?:&|\Z)"
    rf"|[?&](?:format|fm|ext|fmt|output)=(?:{_ENDINGS})(?:[&#]|\Z)"
    # servers that scale pictures
    r"|/_next/image\?|/_ipx/|/cdn-cgi/image/|/image/upload/|/image/fetch/|/is/image/"
    r"|/imgproxy/|/_vercel/image\?|/\.netlify/images\?|/thumbor/",
    re.IGNORECASE,
).search
_OTHER_FILE = re.compile(
    r"\.(?:woff2?|ttf|otf|eot|css|m?js|jsonp?|html?|xhtml|xml|htc|ani|txt|pdf|zip|gz"
    r"|mp[34]|m4[av]|webm|ogg|og[av]|mov|m3u8|mpd|vtt|srt|wav|swf|wasm|map)"
    r"(?:[?#]|\Z)",
    re.IGNORECASE,
).search
_ADDRESS = re.compile(
    r"(?:https?:)?//[^/?#]|(?![a-z][a-z0-9+.-]*:|//)[^?#]", re.IGNORECASE
).match
_NO_ADDRESS = re.compile(r"""[\s<>{}"`\\|^\x00-\x1f]|\$\(|%7B%7B|\[\[""").search
# The page about a file in a wiki ends as the file does. The name of a namespace has
# letters, "_" and what is not ASCII; a range up to \uffff takes 2 ms to compile.
_WIKI_PAGE = re.compile(r"[/=][^\x00-@\[-^`{-\x7f]+:[^/?#]*+(?:[?#]|\Z)").search
_MAX_ADDRESS = 2048


def is_address(text: str) -> bool:
    """Whether `text` can be an HTTP URL, absolute or relative, and is no template."""
    return (
        0 < len(text) <= _MAX_ADDRESS
        and _ADDRESS(text) is not None
        and _NO_ADDRESS(text) is None
    )


def is_picture(text: str) -> bool:
    """Whether `text` is the address of a picture, as far as its form tells."""
    return (
        len(text) <= _MAX_ADDRESS
        and _PICTURE(text) is not None
        and is_address(text)
        and _WIKI_PAGE(text) is None
    )


def is_other_file(text: str) -> bool:
    """Whether `text` ends as a file of another kind does: a font, a film, a script."""
    return _OTHER_FILE(text) is not None
