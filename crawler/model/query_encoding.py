"""The query of a link in the encoding of its document.

It is "percent-encode after encoding" of the URL Standard, section 1.3. Documents in
UTF-8 do not need it.
"""

from __future__ import annotations

import codecs

from webencodings import Encoding

_STRIPPED = "".join(map(chr, range(0x21)))
"""The characters that the URL parser strips from both ends of a link."""

# The special-query percent-encode set of the URL Standard, as a table by byte.
_QUERY_BYTES = tuple(
    f"%{n:02X}" if n <= 0x20 or n >= 0x7F or chr(n) in "\"#<>'" else chr(n)
    for n in range(256)
)
_TAB_OR_NEWLINE = {9: None, 10: None, 13: None}


def encode_query(href: str, encoding: Encoding) -> str:
    """`href` with its query in `encoding` ("percent-encode after encoding")."""
    before, mark, query = href.rstrip(_STRIPPED).removesuffix("#").partition("?")
    encoded = encoding.codec_info.encode(query.translate(_TAB_OR_NEWLINE), _REFERENCES)[
        0
    ]
    return before + mark + "".join(_QUERY_BYTES[byte] for byte in encoded)


def _reference(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace characters that the codec lacks by percent-encoded references."""
    assert isinstance(error, UnicodeEncodeError)
    lacking = error.object[error.start : error.end]
    return "".join(f"%26%23{ord(char)}%3B" for char in lacking), error.end


_REFERENCES = "orbweb-references"
codecs.register_error(_REFERENCES, _reference)
