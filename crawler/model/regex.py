"""`re.compile` for patterns in which a group has a possessive quantifier.

CPython 3.11.0 to 3.11.4 match `(?:X)*+` wrongly: where X fails after its beginning, the
characters of that beginning count as matched (python/cpython#106052 and #100061). A
character or a set with such a quantifier, `[^<]*+`, is matched rightly. Debian 12 has
mended its 3.11.2 in a security update, so a match decides and not the version alone.

There `(?:X)*+` is compiled as `(?>(?:X)*)`, which means the same. The patterns are not
written so, because an atomic group takes longer: finding the tags of a page takes a
fifth more time with it.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import Any, AnyStr, cast

_WRONG = sys.version_info < (3, 11, 5) and re.fullmatch("(?:ab?c)*+", "a") is not None


def compiled(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """What `re.compile` returns, and a right match on every Python since 3.11.0."""
    return compile_atomic(pattern, flags) if _WRONG else re.compile(pattern, flags)


def compile_atomic(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """`pattern` compiled with atomic groups in place of possessive quantifiers.

    The `pattern` attribute of the result is None. The modules below `re` are private;
    those of the versions that need this will not change any more.
    """
    parser = import_module("re._parser")
    tree = _with_atomic_groups(parser.parse(pattern, flags), parser)
    compiler = import_module("re._compiler")
    return cast("re.Pattern[AnyStr]", compiler.compile(tree, flags))


def _with_atomic_groups(part: Any, parser: Any) -> Any:
    """A part of a syntax tree of `re` without a POSSESSIVE_REPEAT."""
    if isinstance(part, parser.SubPattern):
        nodes = [_with_atomic_groups(node, parser) for node in part.data]
        return parser.SubPattern(part.state, nodes)
    if not isinstance(part, tuple | list):
        return part
    if part and part[0] is parser.POSSESSIVE_REPEAT:
        least, most, body = part[1]
        repeated = (least, most, _with_atomic_groups(body, parser))
        greedy = parser.SubPattern(body.state, [(parser.MAX_REPEAT, repeated)])
        return parser.ATOMIC_GROUP, greedy
    return type(part)(_with_atomic_groups(node, parser) for node in part)
