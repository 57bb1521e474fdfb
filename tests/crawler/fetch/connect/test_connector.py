"""connector: which IP addresses are tried, which are refused, and how each fails."""

from __future__ import annotations

import errno
import os
import socket as standard
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

import hub
from crawler.fetch.client import Client
from crawler.fetch.connect.connector import connect_failure
from crawler.fetch.dns.system import SystemResolver
from crawler.model.errors import (
    BlockedAddress,
    ConnectionReset,
    ConnectRefused,
    ConnectTimeout,
    ConnectUnreachable,
    Failure,
    NameFailure,
    NameNotFound,
    NameServerFailure,
    NameTimeout,
)
from crawler.model.http import Request
from tests.helpers.clients import Make, Names, client, failing, make
from tests.site.fixtures import LIMITS, needs_ipv6
from tests.site.pages import handlers
from tests.site.server import Site, refusing

__all__ = ["client", "make"]


def test_a_refused_connection(make: Make) -> None:
    with refusing() as port:
        failure = failing(make(), f"http://127.0.0.1:{port}/", ConnectRefused)
    assert f"127.0.0.1:{port}" in failure.message


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ECONNREFUSED, ConnectRefused),
        (errno.ECONNRESET, ConnectionReset),
        (errno.ECONNABORTED, ConnectionReset),
        (errno.EPIPE, ConnectionReset),
        (errno.ETIMEDOUT, ConnectTimeout),
        (errno.EHOSTUNREACH, ConnectUnreachable),
        (errno.ENETUNREACH, ConnectUnreachable),
        (errno.EHOSTDOWN, ConnectUnreachable),
        (errno.EADDRNOTAVAIL, ConnectUnreachable),
        (errno.EACCES, ConnectUnreachable),
        (errno.EPERM, ConnectUnreachable),
    ],
)
def test_each_error_of_connect_has_its_code(number: int, kind: type[Failure]) -> None:
    failure = connect_failure("a.example:80", OSError(number, os.strerror(number)))
    assert type(failure) is kind
    assert failure.at_stage == "connect"
    assert failure.retry
    assert failure.message == f"a.example:80: {os.strerror(number)}"


def test_a_connection_that_is_never_answered(make: Make) -> None:
    # With a full backlog the kernel silently drops further connection requests.
    with standard.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = []
        for _ in range(4):
            filler = standard.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        client = make(replace(LIMITS, connect_timeout=0.2))
        failure = failing(client, f"http://127.0.0.1:{address[1]}/", ConnectTimeout)
        assert failure.at_stage == "connect"
        for filler in fillers:
            filler.close()


def test_the_second_address_is_tried(make: Make, site: Site) -> None:
    # The site does not listen on the first address.
    names = Names(two=["127.0.0.3", "127.0.0.1"])
    client = make(named_hosts={"two.test"}, resolver=names)
    response = client.fetch(Request(f"http://two.test:{site.port}/arrived"))
    assert response.remote_ip == "127.0.0.1"
    assert names.asked == ["two.test"]


@pytest.fixture
def six() -> Iterator[Site]:
    """The site on the IPv6 loopback address only."""
    site = Site(handlers(), addresses=("::1",))
    yield site
    site.stop()


@needs_ipv6
def test_by_ipv6(make: Make, six: Site) -> None:
    client = make(named_hosts={"::1"})
    for reused in (False, True):
        response = client.fetch(Request(six.base + "/echo"))
        assert (response.remote_ip, response.reused_connection) == ("::1", reused)
    assert f"host: [::1]:{six.port}".encode() in response.body
    failing(make(named_hosts=()), six.base + "/echo", BlockedAddress)


@needs_ipv6
@pytest.mark.parametrize("order", [["::1", "127.0.0.1"], ["127.0.0.1", "::1"]])
def test_the_family_that_answers_is_taken(
    make: Make, six: Site, order: list[str]
) -> None:
    client = make(named_hosts={"both.test"}, resolver=Names(both=order))
    assert client.fetch(Request(six.url("/arrived", "both.test"))).remote_ip == "::1"


@needs_ipv6
@pytest.mark.parametrize(("family", "kind"), [("ipv6", None), ("ipv4", ConnectRefused)])
def test_one_family_alone(
    make: Make, six: Site, family: Any, kind: type[Failure] | None
) -> None:
    client = make(replace(LIMITS, address_family=family), named_hosts={"x.localhost"})
    url = six.url("/arrived", "x.localhost")
    if kind is None:
        assert client.fetch(Request(url)).remote_ip == "::1"
    else:
        failing(client, url, kind)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["10.0.0.1", "127.0.0.1"],
    ],
)
def test_private_addresses_are_refused_after_resolving(
    make: Make, addresses: list[str], site: Site
) -> None:
    client = make(named_hosts=(), resolver=Names(evil=addresses))
    failure = failing(client, f"http://evil.test:{site.port}/arrived", BlockedAddress)
    assert "evil.test" in failure.message
    assert "--allow-net" in failure.message
    assert not site.log


def test_only_the_allowed_one_of_several_addresses_is_used(
    make: Make, site: Site
) -> None:
    config = replace(LIMITS, allow_net=("127.0.0.0/8",))
    client = make(
        config, named_hosts=(), resolver=Names(mixed=["10.255.255.1", "127.0.0.1"])
    )
    response = client.fetch(Request(f"http://mixed.test:{site.port}/arrived"))
    assert response.remote_ip == "127.0.0.1"


def test_a_host_mapped_by_the_user(make: Make, site: Site) -> None:
    config = replace(LIMITS, resolve=(f"mapped.test:{site.port}:127.0.0.1",))
    client = make(config)
    response = client.fetch(Request(f"http://mapped.test:{site.port}/echo"))
    assert f"host: mapped.test:{site.port}".encode() in response.body


def gai(code: int) -> standard.gaierror:
    return standard.gaierror(code, standard.gaierror.__name__)


def test_hosts_mapped_as_in_curl(make: Make, site: Site) -> None:
    """Several addresses, the first of them dead; `*` for hosts without an entry."""
    port = site.port
    entries = (f"two.test:{port}:127.0.0.3,[127.0.0.1]", f"*:{port}:127.0.0.2")
    client = make(replace(LIMITS, resolve=entries), named_hosts=())
    assert (
        client.fetch(Request(site.url("/arrived", "two.test"))).remote_ip == "127.0.0.1"
    )
    assert (
        client.fetch(Request(site.url("/arrived", "any.test"))).remote_ip == "127.0.0.2"
    )
    failing(
        client, f"http://any.test:{port + 1}/", NameFailure
    )  # the entries are for one port
    failing(client, site.url("/arrived", "127.0.0.1"), BlockedAddress)


def test_each_connection_is_checked_by_what_the_name_resolves_to_now(
    make: Make, site: Site
) -> None:
    """A name that resolves to a private address later (DNS rebinding) is refused."""
    names = Names(turncoat=["127.0.0.1"])
    client = make(
        replace(LIMITS, allow_net=("127.0.0.0/8",)), named_hosts=(), resolver=names
    )
    assert (
        client.fetch(Request(site.url("/closes-after", "turncoat.test"))).status == 200
    )
    names.addresses["turncoat"] = ["10.0.0.1", "169.254.169.254"]
    failing(client, site.url("/arrived", "turncoat.test"), BlockedAddress)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (gai(standard.EAI_NONAME), NameNotFound),
        (gai(standard.EAI_NODATA), NameNotFound),
        (gai(standard.EAI_AGAIN), NameServerFailure),
        (gai(standard.EAI_FAIL), NameServerFailure),
        (UnicodeError("label empty or too long"), NameNotFound),
    ],
)
def test_failures_of_the_resolver(
    make: Make, error: Exception, kind: type[Failure]
) -> None:
    def lookup(*args: object) -> list[Any]:
        raise error

    client = make(resolver=SystemResolver(LIMITS, lookup))
    failure = failing(client, "http://nowhere.test/", kind)
    assert failure.at_stage == "dns"
    assert "nowhere.test" in failure.message


def test_a_resolver_that_is_too_slow(make: Make) -> None:
    def lookup(*args: object) -> list[Any]:
        hub.sleep(10)
        return []

    client = make(resolver=SystemResolver(replace(LIMITS, dns_timeout=0.1), lookup))
    failure = failing(client, "http://nowhere.test/", NameTimeout)
    assert failure.message == "no address for nowhere.test within 0.1 s"


def test_localhost_resolves_by_the_hosts_file(client: Client, site: Site) -> None:
    assert (
        client.fetch(Request(site.url("/arrived", "localhost"))).remote_ip
        == "127.0.0.1"
    )
