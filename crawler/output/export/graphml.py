"""The graph of links as GraphML, for Gephi, networkx, igraph and yEd.

A node is a URL, an edge a link. Where the records hold the links of their pages
(`crawl --with links`) the edges are these; otherwise each URL has one edge, from the
page where it was found first. GraphML wants the nodes that an edge names; what was only
linked to becomes a node without a status. Edges wait in a temporary database until all
nodes are written.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from html import escape
from pathlib import Path
from typing import IO

from crawler.model.url import url_id_hex
from crawler.output.export.files import open_output
from crawler.output.export.lines import Line, Row, rows
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write

_NODE_KEYS = {
    "url": "string", "type": "string", "status": "int", "title": "string",
    "depth": "int", "host": "string",
}  # fmt: skip
_EDGE_KEYS = {"kind": "string", "text": "string", "nofollow": "boolean"}
_FOUND, _LINK, _REDIRECT = range(3)

# The characters that XML 1.0 cannot have, escaped or not.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@contextmanager
def open_graphml(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`."""
    with open_output(target) as out, closing(sqlite3.connect("")) as database:
        graph = _Graph(out, database)
        yield graph.write
        graph.finish()


class _Graph:
    """Writes nodes as they come, and the edges at the end."""

    def __init__(self, out: IO[bytes], database: sqlite3.Connection) -> None:
        self._out = out
        self._database = database
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("CREATE TABLE node (id TEXT PRIMARY KEY) WITHOUT ROWID")
        database.execute(
            "CREATE TABLE edge (of INT, source TEXT, target TEXT, url TEXT, data TEXT)"
        )
        self._put(
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
        )
        for domain, keys in (("node", _NODE_KEYS), ("edge", _EDGE_KEYS)):
            for name, kind in keys.items():
                self._put(
                    f'<key id="{domain}_{name}" for="{domain}" attr.name="{name}" '
                    f'attr.type="{kind}"/>\n'
                )
        self._put('<graph edgedefault="directed">\n')

    def write(self, lines: Sequence[Line]) -> int:
        nodes = [
            row for row in rows(lines) if row.get("url") and row["type"] != "robots"
        ]
        for row in nodes:
            self._node(row["url"], row)
            if row.get("parent_url"):
                found = {"kind": row.get("link_kind")}
                self._edge(_FOUND, row["parent_url"], row["url"], found)
            if row["type"] == "redirect":
                self._edge(_REDIRECT, row["url"], row["location"], {"kind": "redirect"})
            for link in row.get("links") or ():
                self._edge(_LINK, row["url"], link["url"], link)
        return len(nodes)

    def finish(self) -> None:
        has_links = self._database.execute(
            "SELECT 1 FROM edge WHERE of = ?", (_LINK,)
        ).fetchone()
        wanted = (_LINK, _REDIRECT) if has_links else (_FOUND, _FOUND)
        unknown = self._database.execute(
            "SELECT target, min(url) FROM edge WHERE of IN (?, ?) "
            "AND target NOT IN (SELECT id FROM node) GROUP BY target",
            wanted,
        )
        for node, url in unknown:
            self._put_node(node, {"url": url})
        edges = self._database.execute(
            "SELECT source, target, data FROM edge WHERE of IN (?, ?) "
            "AND source IN (SELECT id FROM node)",
            wanted,
        )
        for source, target, data in edges:
            self._put(f'<edge source="{source}" target="{target}">{data}</edge>\n')
        self._put("</graph>\n</graphml>\n")

    def _node(self, url: str, row: Row) -> None:
        node = _id(url)
        added = self._database.execute("INSERT OR IGNORE INTO node VALUES (?)", (node,))
        if added.rowcount:
            self._put_node(node, row)

    def _put_node(self, node: str, row: Row) -> None:
        self._put(f'<node id="{node}">{_data("node", _NODE_KEYS, row)}</node>\n')

    def _edge(self, of: int, source: str, target: str, values: Row) -> None:
        data = _data("edge", _EDGE_KEYS, values)
        self._database.execute(
            "INSERT INTO edge VALUES (?, ?, ?, ?, ?)",
            (of, _id(source), _id(target), target, data),
        )

    def _put(self, text: str) -> None:
        self._out.write(text.encode())


def _id(url: str) -> str:
    return f"n{url_id_hex(url)}"


def _data(domain: str, keys: Mapping[str, str], values: Row) -> str:
    return "".join(
        f'<data key="{domain}_{name}">{_text(values[name])}</data>'
        for name in keys
        if values.get(name) is not None
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return escape(_NO_XML.sub("\ufffd", str(value)))
