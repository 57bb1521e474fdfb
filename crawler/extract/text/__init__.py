"""The text of a page: what a reader of it reads, as plain text and as Markdown.

    --with text        page_text.py     trafilatura's main content
    --with markdown    main_element.py  the element that holds it, in the page's tree
                       markdown.py      that element by html-to-markdown
    --text whole       plain.py         all text of `<body>`, as browsers copy it

`text` and `markdown` go different ways, because no library does both well. trafilatura
finds the main content best, but its Markdown loses code blocks and rows of tables;
html-to-markdown keeps them, but converts navigation too. So the tree is searched for
the smallest element that holds what trafilatura found, and that element is converted.

All of it needs a tree of untrusted HTML, so it runs in the extraction process only,
where limits on memory and CPU time hold. The libraries are the extra `text`.
"""
