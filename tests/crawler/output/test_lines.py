"""Lines on disk and on pipes."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import threading
from pathlib import Path

import pytest

from crawler.model.errors import OutputError, StateError
from crawler.output.lines import LineFile, LineStream, open_lines
from crawler.output.sink import OutputClosed


def test_lines_go_to_the_file_whole_and_the_offset_is_its_size(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    sink = open_lines(str(path))
    sink.write([b'{"a":1}', b'{"a":2}'])
    assert sink.flush() == path.stat().st_size == 16
    sink.write([])
    sink.write([b"{}"])
    assert sink.flush() == 19
    sink.close()
    assert path.read_bytes() == b'{"a":1}\n{"a":2}\n{}\n'


def test_opening_cuts_back_to_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b"1\n2\n3\n{half")
    sink = open_lines(str(path), 4, b"schema")
    sink.write([b"new"])
    assert sink.flush() == 8
    sink.close()
    assert path.read_bytes() == b"1\n2\nnew\n"


def test_the_first_line_stands_where_the_stream_begins(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b"left by a crash before the first commit\n")
    sink = open_lines(str(path), None, b"schema")
    assert sink.flush() == 7
    sink.close()
    assert path.read_bytes() == b"schema\n"


def test_a_file_shorter_than_the_state_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(b"12345")
    with pytest.raises(StateError, match=r"has 5 bytes.*9 were written.*--fresh"):
        open_lines(str(path), 9)
    assert path.read_bytes() == b"12345"


def test_a_place_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file/r.*can't be written"):
        open_lines(str(tmp_path / "file" / "r"))
    with pytest.raises(OutputError, match="directory"):
        open_lines(str(tmp_path))


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"/dev/full: the disk is full; make room"):
        open_lines("/dev/full", None, b"schema")


def test_a_write_that_is_cut_short_is_completed_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "r"
    sink = open_lines(str(path))
    sink.write([b"x" * 99])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150, limits[1]))
        with pytest.raises(OutputError, match="File too large"):
            sink.write([b"y" * 99])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert sink.flush() == 100
    sink.close()
    open_lines(str(path), 100).close()
    assert path.read_bytes() == b"x" * 99 + b"\n"


def test_a_reader_that_has_gone_stops_the_program_with_75() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = LineStream(writer, "stdout", None)
    with pytest.raises(OutputClosed) as closed:
        sink.write([b"{}"])
    assert closed.value.exit_code == 75
    sink.close()


def test_a_slow_reader_of_a_non_blocking_pipe_gets_everything() -> None:
    reader, writer = os.pipe()
    flags = fcntl.fcntl(writer, fcntl.F_GETFL)
    fcntl.fcntl(writer, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    parts: list[bytes] = []

    def read() -> None:
        while part := os.read(reader, 1 << 16):
            parts.append(part)

    thread = threading.Thread(target=read)
    thread.start()
    sink = LineStream(writer, "pipe", b"schema")
    lines = [b"%06d" % n * 50 for n in range(5000)]
    sink.write(lines)
    assert sink.flush() is None
    sink.close()
    thread.join()
    os.close(reader)
    assert b"".join(parts) == b"\n".join([b"schema", *lines, b""])


def test_what_is_no_regular_file_is_written_like_a_pipe() -> None:
    sink = open_lines("/dev/null", 500)
    sink.write([b"x"])
    assert sink.flush() is None
    sink.close()


def test_stdout_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    sink = open_lines("-", None, None)
    sink.write([b"1", b"2"])
    sink.close()
    os.write(1, b"still open\n")
    assert capfd.readouterr().out == "1\n2\nstill open\n"


def test_a_batch_is_one_system_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = open_lines(str(tmp_path / "r"))
    assert isinstance(sink, LineFile)
    real, calls = os.write, []
    monkeypatch.setattr(
        os, "write", lambda fd, data: calls.append(data) or real(fd, data)
    )
    sink.write([b"1", b"2", b"3"])
    monkeypatch.undo()
    assert calls == [b"1\n2\n3\n"]
    sink.close()
