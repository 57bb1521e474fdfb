"""`orbweb report`: a crawl as one HTML page that needs no network.

    records.jsonl ── gather.py ── Gathered ── page.py ── report.html
    state ── status.py ┘             │            │
                                pictures.py    sections/, one function each

`gather.py` reads the records once, in batches, and keeps figures of a bounded size: all
lists have a maximum, named `MAX_`, and the page says where one was reached. Thumbnails
come from the extraction process (`engine/images/thumbnails.py`), since a decoder of
pictures is run nowhere else.

Text of the web becomes HTML in one place, `markup.py`, which escapes whatever is not
markup of ours. The page has no `style` attribute and no handler in its markup, so its
Content-Security-Policy can name the one style sheet and the one script by their hashes,
and allow nothing else but pictures of the page itself and of the crawl's folder.

A section is a function from a `Report` to markup; a new one is a line in `SECTIONS`
(`page.py`), which makes its entry in the navigation as well. One that returns None is
left out.

Decisions:

- A template library (jinja2, minijinja) was not taken. The page is made of tables and
  SVG, that is of numbers, and a function `el(name, *children)` escapes by default, is
  checked by mypy, and costs no dependency.
- Plots are SVG of our own: 3 to 15 kB each, where altair, plotly and bokeh take 0.9 to
  5 MB and load a library first. The plots here need axes, columns and bars alone.
- It stands in `inspect` and not in `output`, because it needs the state as well.
"""
