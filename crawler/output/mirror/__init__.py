"""A copy of the saved part of the web that a browser reads offline.

    names.py    a file name for each URL
    files.py    the files below mirror/, new where they have changed

Names are made from what the network says, so each part of one is made harmless; how
that is done stands in `names.py`. What a file refers to is not known here.
"""
