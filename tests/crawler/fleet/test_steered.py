"""What a process tells of a crawl whose settings were changed meanwhile."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import hub
from crawler.engine.stats import Snapshot
from crawler.fleet.end import EndElsewhere
from crawler.fleet.messages import Progress
from crawler.fleet.supervisor import Supervisor
from crawler.frontier.mail import Report
from crawler.frontier.sqlite.fleet_file import Fleet, FleetFile
from crawler.model.config import Config
from crawler.model.shards import Layout

IDLE = Progress(Report(0, 1, True), Snapshot(1.0))


class Told:
    """A process, and what it was told."""

    is_outdated = False

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.tell = self.messages.append


def test_what_a_process_tells_before_it_begins_anew_counts_no_more(
    tmp_path: Path,
) -> None:
    """The seed that was added may be its own, and it says that it has no work."""
    own = EndElsewhere(1, 10.0, lambda: 0, lambda: 0.0)
    config = Config(seeds=("https://example.com/",), dir=str(tmp_path))
    machine = SimpleNamespace(own=own, take_limits=lambda _config: None)
    part = SimpleNamespace(
        machine=machine, snapshots=None, take_settings=lambda _crawl: config
    )
    (tmp_path / "state").mkdir()
    with closing(FleetFile(tmp_path)) as file:
        fleet = Fleet("0" * 26, "", Layout(1), 1)
        supervisor = Supervisor(
            config, fleet, file, *cast(Any, (None, None)), part=cast(Any, part)
        )
        process: Any = Told()
        supervisor._processes.append(process)
        supervisor._hear(process, IDLE)
        assert own.reports[0].is_idle
        own.died([0])  # as the machine does when it sees other settings
        supervisor._steered(cast(Any, None))
        supervisor._hear(process, IDLE)
        assert not own.reports
        hub.sleep(0)
        assert len(process.messages) == 1
        supervisor._hear(cast(Any, Told()), IDLE)
        assert own.reports[0].is_idle
