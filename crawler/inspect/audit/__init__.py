"""The audit of a crawled site, from the state alone.

    audit.py      all checks over all documents, one document at a time
    findings.py   what an audit returns: sections of findings
    targets.py    broken links, redirect chains and loops
    pages.py      titles and descriptions, sizes and times, mixed content
    relations.py  canonical URLs, translations, the sitemap

Each section counts all that it finds, and names the first of them. What is held in
memory is some bytes for each URL, and some hundred for each page with a title.
"""
