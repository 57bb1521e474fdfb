"""When mail is looked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import hub
from crawler.engine.shard_link import ShardLink
from crawler.fleet.carrier import Carrier
from crawler.fleet.exchange import EAGER_POLL_S, EAGER_S, POLL_S, Exchange
from hub.testing import simulated_network


class Link:
    """A shard of which only the end of its work is told."""

    is_open = True
    mail = SimpleNamespace(make_safe=dict)

    def when_finished(self, tell: Callable[[], None]) -> None:
        self.finish = tell

    def take(self, messages: Sequence[Any]) -> None:
        assert not messages


def looks_after(finished_at: float) -> list[float]:
    """When the exchange looks, from the moment when the shard has no work left."""
    carrier = SimpleNamespace(
        send=lambda mail: None,
        receive=lambda mail: [],
        tell_safe=lambda mail, safe: None,
        acknowledgements=lambda mail: [],
    )
    with simulated_network(1, start=0.0):
        clock, link, looks = hub.get_hub().loop.now, Link(), list[float]()

        def failed(error: Exception) -> None:
            raise error

        exchange = Exchange(
            cast(Carrier, carrier),
            [cast(ShardLink, link)],
            lambda: looks.append(clock() - finished_at),
            failed,
        )
        running = hub.spawn(exchange.run)
        hub.sleep(finished_at)
        link.finish()
        hub.sleep(2 * EAGER_S)
        running.kill()
    return looks


def test_a_process_without_work_looks_at_once_and_often_for_a_while():
    looks = looks_after(finished_at=1.005)
    before = [at for at in looks if at < -1e-9]
    assert len(before) == 51  # one each 20 ms
    after = looks[len(before) :]
    assert after[0] < 1e-6
    eager = [at for at in after if at <= EAGER_S]
    assert len(eager) >= 0.9 * EAGER_S / EAGER_POLL_S
    later = [at for at in after if at > EAGER_S + EAGER_POLL_S]
    assert len(later) <= EAGER_S / POLL_S + 1
