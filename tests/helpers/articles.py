"""Articles with known text, in the layouts that news sites and blogs have."""

from __future__ import annotations

_SUBJECTS = (
    ("The harbour", "fishermen", "boats", "lighthouse", "storm"),
    ("A library", "readers", "shelves", "catalogue", "flood"),
    ("The orchard", "gardeners", "trees", "cellar", "frost"),
    ("Night trains", "passengers", "carriages", "timetable", "strike"),
)


def _article(
    subject: str, people: str, things: str, place: str, event: str
) -> list[str]:
    return [
        f"{subject} after the {event}",
        f"For eleven days nobody knew whether the {event} had spared the {place}, and "
        f"the {people} who gathered every morning had stopped asking one another.",
        f"On the twelfth day the first {things} were seen again. Most of them were "
        f"damaged, yet a careful count showed that fewer had been lost than feared, "
        f"and by noon half of the {people} had returned to their work.",
        f"“We had prepared for worse,” said one of the {people}, who has looked after "
        f"the {place} for thirty years. “What we had not prepared for was silence.”",
        f"An inquiry is to report before the winter. It will ask why the warning about "
        f"the {event} came two hours late, and whether the {place} can be rebuilt on "
        f"the same ground; the council has set aside money for either answer.",
        f"Until then the {things} stay where they are. Volunteers mark each of them "
        f"with a strip of red cloth, so that nobody counts one twice.",
    ]


ARTICLES = [_article(*subject) for subject in _SUBJECTS]
"""Each a heading and its paragraphs."""

_MENU = "".join(
    f'<li><a href="/{name.lower()}">{name}</a></li>'
    for name in ("Home", "Politics", "Business", "Culture", "Sport", "Weather")
)
_TEASERS = "".join(
    f'<div class="teaser"><a href="/t{n}"><h3>{title}</h3></a></div>'
    for n, title in enumerate(
        ("Prices rise again", "Ten cheap recipes", "Bridge to close in May")
    )
)
_COOKIES = (
    "<div id=cookie-banner class=consent>We use cookies. <button>OK</button></div>"
)
_FOOTER = (
    "<p>Copyright 2026 The Example</p><ul><li><a href=/imprint>Imprint</a></li>"
    "<li><a href=/privacy>Privacy</a></li></ul>"
)


def _body(article: list[str]) -> str:
    return "".join(f"<p>{paragraph}</p>" for paragraph in article[1:])


LAYOUTS = {
    "semantic": (
        "<header><nav><ul>{menu}</ul></nav></header><main><article><header><h1>{title}"
        "</h1></header>{body}</article></main><aside>{teasers}</aside>"
        "<footer>{footer}</footer>{cookies}"
    ),
    "divs": (
        "<div id=nav><ul>{menu}</ul></div><div id=page><div id=content><h1>{title}</h1>"
        "<div class=entry-content>{body}</div></div><div id=sidebar class=sidebar>"
        "{teasers}</div></div><div id=footer class=footer>{footer}</div>{cookies}"
    ),
    "tables": (
        "<table width=100%><tr><td colspan=2><ul class=menu>{menu}</ul></td></tr><tr>"
        "<td class=content><h1>{title}</h1>{body}</td><td class=sidebar>{teasers}</td>"
        "</tr><tr><td class=footer>{footer}</td></tr></table>"
    ),
    "blog": (
        "<div class=wrap><div class=site-header><ul class=menu>{menu}</ul></div>"
        '<div class=post><h1 class="entry-title">{title}</h1><div class="post-body">'
        "{body}</div></div><div class=related>{teasers}</div>"
        "<div class=site-footer>{footer}</div></div>{cookies}"
    ),
}
"""What stands around the article."""


def article_page(article: list[str], layout: str) -> str:
    """The whole page."""
    inner = LAYOUTS[layout].format(
        menu=_MENU,
        title=article[0],
        body=_body(article),
        teasers=_TEASERS,
        footer=_FOOTER,
        cookies=_COOKIES,
    )
    title = f"{article[0]} | The Example"
    return f"<!doctype html><html><head><title>{title}</title></head><body>{inner}"
