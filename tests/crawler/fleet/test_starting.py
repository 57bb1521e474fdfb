"""Processes that are started before it is known what they will do."""

from __future__ import annotations

import os
import subprocess
import sys

from crawler.fleet.starting import ReadyProcesses
from tests.helpers.killed_fleet import children_of
from tests.helpers.paths import ROOT


def test_a_process_ends_with_the_parent_that_gives_it_no_settings():
    ready = ReadyProcesses(2, has_stdout=False)
    taken = ready.take()
    ready.close()
    assert taken.popen.poll() is None
    taken.socket.close()
    assert taken.popen.wait(30) == 0
    taken.discard()


def test_processes_that_are_not_taken_are_ended():
    before = children_of(os.getpid())
    ready = ReadyProcesses(3, has_stdout=False)
    assert len(children_of(os.getpid())) == len(before) + 3
    ready.keep(2)
    assert len(children_of(os.getpid())) == len(before) + 2
    taken = ready.take()
    ready.close()
    assert children_of(os.getpid()) == [*before, taken.popen.pid]
    more = ready.take()
    assert more.popen.poll() is None
    for one in (taken, more):
        one.discard()


def test_little_is_loaded_before_the_processes_are_started():
    script = (
        "import sys; from crawler.fleet.starting import ReadyProcesses;"
        "from crawler.cli.commands import crawl;"
        "print(*{'hub', 'sqlite3', 'crawler.engine.engine'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("", "")
