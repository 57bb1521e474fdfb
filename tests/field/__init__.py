"""Cases from public reports about crawlers and HTTP clients, rebuilt on loopback.

Each case names the report, as OWNER/REPOSITORY#NUMBER, whose server it imitates. No
text of the reports is copied; "sibling of" marks a case that was derived from another.
What is right was decided by the standards, and by what curl, Chromium and Scrapy do.
"""
