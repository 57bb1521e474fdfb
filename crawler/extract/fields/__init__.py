"""Fields: values that the user's selectors find in a page.

    "css:.price::text | strip"   rule.py       source, expression, pipes
                                 sources.py    css xpath json jsonld meta re url
                                 pipes.py      strip int replace join ...
                                 json_text.py JSON of the web, as a record can hold it
                 types.py      str int float bool date url price ...
    Fields                       fields.py     all rules of a crawl, applied to a page

Selectors are compiled when the configuration is read, so a mistake is told before the
crawl begins. They are applied in the extraction process only, where limits on memory
and CPU time hold: they need a tree of untrusted HTML.
"""
