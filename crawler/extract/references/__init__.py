"""Where the URLs of a document stand, so that a copy of it can name others.

    reference.py    a place of a URL, and how a value is written there
    html.py         the references of HTML, XHTML and SVG
    css.py          those of style sheets
    requisites.py   the URLs that a document needs to be shown
    rewrite.py      a document with other URLs in place of its own

The scanners stand on the tokens of `html/tags.py` and `css/urls.py`. Nothing is decoded
but the values of URLs, and a rewritten document is byte for byte the same elsewhere.
"""
