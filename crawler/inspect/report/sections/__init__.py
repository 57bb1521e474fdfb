"""The sections of the page, one function each; `page.py` lists them."""
