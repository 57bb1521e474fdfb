"""The exchanges of a crawl as WARC 1.1 files (ISO 28500:2017), with a CDXJ index.

framing       one record as one gzip member
http_records  the records of one exchange
surt          the key of a URL in an index
cdxj          a line of an index
files         the numbered files and their indexes: appended, rotated, cut back
archive       which records an exchange becomes; the archive that a crawl writes to
wacz          all of it in one file, with a list of pages

Written by hand: libraries write heads anew instead of as they were received, and take
six times as long (`docs/warc.md` has the decisions).
"""
