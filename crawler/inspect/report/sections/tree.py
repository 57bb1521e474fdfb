"""The site as a collapsible tree of hosts, folders and pages.

The script makes the entries of a folder when it is opened: 10,000 pages as markup were
80,000 elements, which took a second to load.
"""

from __future__ import annotations

from crawler.inspect.report.charts import legend
from crawler.inspect.report.markup import el
from crawler.inspect.report.report import Report, Section

KINDS = (("page", "Pages and files"), ("image", "Pictures"), ("error", "Failed"))


def tree(report: Report) -> Section | None:
    if not report.found.tree.top.folders:
        return None
    buttons = el(
        "p",
        el("button", "Open all folders", type="button", data_tree="open"),
        el("button", "Close all", type="button", data_tree="close"),
        class_="buttons",
    )
    body = el(
        "div",
        legend(KINDS),
        buttons,
        el("noscript", el("p", "The tree needs JavaScript.", class_="empty")),
        el("ul", "", id="folders", class_="tree"),
        class_="card wide",
    )
    return Section("tree", "Site", body)
