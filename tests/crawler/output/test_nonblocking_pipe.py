"""A pipe that another process has made non-blocking takes every line."""

from __future__ import annotations

import os
import threading

from crawler.output.lines import LineStream

LINES = [b"x" * 1000] * 500


def test_a_full_pipe_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    got = bytearray()

    def read() -> None:
        while data := os.read(reading, 4096):
            got.extend(data)

    reader = threading.Thread(target=read)
    stream = LineStream(writing, "pipe", None)
    reader.start()
    stream.write(LINES)
    stream.close()
    reader.join()
    os.close(reading)
    assert got == b"\n".join(LINES) + b"\n"
