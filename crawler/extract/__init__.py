"""From a response to its Document: a Page, an Image or a File.

The room is pure: bytes and headers in, values out; no I/O, no clock, no switch to
another greenlet. README.md has the drawing and the decisions.

Nothing is imported here, so that the engine can import one file of this room without
the readers, which `engine/builder.py` imports. The depth of imports matters: CPython's
stack of frames grows by pieces of 16 KiB. Where the recursion of `re`'s compiler went
to and fro over the end of a piece, 14 imports deep, each crossing mapped memory anew,
and compiling the expression of `html/tags.py` took 8 ms instead of 2.
"""
