"""The client of one crawl, at the node of a cluster that has it.

All keys of a crawl are in one hash slot (its hash tag), so that one node has them. Any
node refers to that one (MOVED). While the slot moves, the node that gives it away
refers to the next one for what it has no more (ASK), and neither runs a command of
which some keys are at the other, or nowhere (TRYAGAIN): that is sent again for some
seconds. See "Valkey cluster specification", "Redirection and resharding".

A server that is no cluster is the only one, and refers to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import valkey
from valkey.commands.core import Script
from valkey.connection import ConnectionPool
from valkey.exceptions import NoScriptError

import hub
from crawler.fleet.address import Address, Node
from crawler.fleet.valkey_client import down, is_of_cluster, pool_of

MAX_ATTEMPTS = 25
"""How often a command is sent, to the node that has its keys or to another one."""
MOVING_S = 0.1
"""How long a command waits for keys that move (seconds)."""
_MAX_POOLS = 16

Call = tuple[Sequence[str], Sequence[Any]]
"""The keys and the arguments of a script."""


class CrawlClient(valkey.Valkey):
    """Asks the node that has `key`, a key of the crawl at `address`.

    Each call has a connection of its own.
    """

    def __init__(self, address: Address, key: str) -> None:
        self._address = address
        self._key = key
        self._pools: dict[Node, ConnectionPool] = {}
        self._scripts: list[Script] = []
        self._named = 0
        """Which of the nodes that the user named is asked first."""
        self._has_node = False
        """Whether `_node` is known to have the crawl."""
        self._node = address.nodes[0]
        super().__init__(connection_pool=self._pool(self._node))

    def disconnect(self) -> None:
        for pool in self._pools.values():
            pool.disconnect()

    def find(self) -> None:
        """Find the node by any of those that the user named, if it is not known.

        Raises what valkey-py does if none of them leads there, and ExchangeDown for
        several that are no cluster.
        """
        if self._has_node:
            return
        nodes, first = self._address.nodes, self._named
        failure: valkey.ValkeyError | None = None
        for self._named in (at % len(nodes) for at in range(first, first + len(nodes))):
            self._use(nodes[self._named])
            try:
                if len(nodes) > 1:
                    self._refuse_single()
                self.exists(self._key)
                self._has_node = True
                return
            except valkey.AuthenticationError:
                raise
            except (valkey.ConnectionError, valkey.TimeoutError) as error:
                failure = error
            except valkey.ResponseError as error:
                if not is_of_cluster(error):
                    raise
                failure = error
        assert failure is not None
        raise failure

    def forget(self) -> None:
        """Begin the next call at another one of the nodes that the user named."""
        self._has_node = False
        self._named = (self._named + 1) % len(self._address.nodes)
        for pool in self._pools.values():
            pool.disconnect(inuse_connections=False)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to the node that has its keys, and return the answer."""
        send: Any = super().execute_command
        asked: Node | None = None
        for left in reversed(range(MAX_ATTEMPTS)):
            try:
                if asked is not None:
                    return self._ask(asked, args, options)
                return send(*args, **options)
            except valkey.ResponseError as error:
                kind, _, rest = str(error).partition(" ")
                if not left or kind not in ("MOVED", "ASK", "TRYAGAIN"):
                    raise
                node = asked or self._node
                asked = None
                if kind == "ASK":
                    asked = _referred(rest, node)
                elif kind == "MOVED":
                    self._use(_referred(rest, node))
                if kind == "TRYAGAIN" or left < MAX_ATTEMPTS - 5:
                    hub.sleep(MOVING_S)
        raise AssertionError("the last attempt returns or raises")

    def register_script(self, script: Any) -> Script:
        self._scripts.append(Script(self, script))
        return self._scripts[-1]

    def run_all(self, script: Script, calls: Sequence[Call]) -> list[Any]:
        """The answers to several calls of a script, which are sent at once.

        One that the node has not run is made again, by itself.
        """
        pipe: Any
        with self.pipeline(transaction=False) as pipe:
            for keys, arguments in calls:
                script(keys, arguments, client=pipe)
            answers = pipe.execute(raise_on_error=False)
        return [
            script(*call) if isinstance(answer, valkey.ResponseError) else answer
            for call, answer in zip(calls, answers, strict=True)
        ]

    # Inside

    def _use(self, node: Node) -> None:
        self._node = node
        self.connection_pool = self._pool(node)

    def _pool(self, node: Node) -> ConnectionPool:
        if node not in self._pools:
            if len(self._pools) >= _MAX_POOLS:  # a cluster that changes often
                self._pools.pop(next(iter(self._pools))).disconnect(
                    inuse_connections=False
                )
            self._pools[node] = pool_of(self._address, node)
        return self._pools[node]

    def _ask(self, node: Node, args: Sequence[Any], options: dict[str, Any]) -> Any:
        """Ask a node to which the slot moves. A script may not be there yet."""
        pool = self._pool(node)
        connection: Any = pool.get_connection("ASKING")
        try:
            try:
                return self._asked(connection, args, options)
            except NoScriptError:
                for script in self._scripts:
                    connection.send_command("SCRIPT LOAD", script.script)
                    connection.read_response()
                return self._asked(connection, args, options)
        finally:
            pool.release(connection)

    def _asked(
        self, connection: Any, args: Sequence[Any], options: dict[str, Any]
    ) -> Any:
        connection.send_command("ASKING")
        connection.read_response()
        connection.send_command(*args)
        parse: Any = self.parse_response
        return parse(connection, args[0], **options)

    def _refuse_single(self) -> None:
        """Raise ExchangeDown if the node is a server of its own.

        Machines that reach different ones would each run the whole crawl.
        """
        try:
            self.execute_command("CLUSTER KEYSLOT", self._key)
        except valkey.ResponseError as error:
            if "cluster support disabled" not in str(error):
                raise
            raise down(
                self._address.where,
                f"is no cluster ({self._node.where} is a server of its own): name one "
                "host",
                2,
            ) from error


def _referred(rest: str, node: Node) -> Node:
    """The node in `SLOT HOST:PORT`; without a host it is that of `node`."""
    host, _, port = rest.rpartition(" ")[2].rpartition(":")
    return Node(host if host not in ("", "?") else node.host, int(port))
