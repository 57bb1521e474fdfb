"""The check of crawler traps: parts of a site that never end and bring nothing new.

The option `limits.traps` switches it off. No I/O, no clock.

Theory. A trap makes its own links: a calendar's month links to the next month, a page
with a session id to pages with newer ids, a list sorted by price to the same list
sorted by name. How long a chain is proves nothing, for archives are long too. What
tells them apart is *yield*: a fetch that brings nothing beyond the pages before it was
for nothing. So three things are recorded: which URLs belong together (`templates.py`:
`?sort=`, `?page=` and `?sid=` each by itself, since one may be worth following), what
is new on a page (`seen_content.py`), and what each template has earned (`unit.py`,
`scores.py`).

At the end of its credit a template is *cut*: its URLs are skipped, where a page of that
same part links to them. Where a query is to blame (or a `;jsessionid=`), the key with
the least credit is charged. A cut quarters the credit of the part's other keys, since
orders and filters come together; and the URL without its keys takes the place of the
one skipped, so that a site whose links all carry a session id is still read whole
(which is why a key earns 1 and not GAIN: to cut one early is no loss). Where the page's
own template is too new to be charged, its part of the site is, from the second folder
on: `/shop/red/small`.

Only what links to itself is charged, and not the first FREE (`relation.py`):

- pages found on pages of the same part (or with the same key), a link deeper than the
  template was first found. So whatever an index lists is read, however alike its
  entries are, and however many;
- URLs whose query names the page that links to them: `/login?from=/the/page`;
- alternate views of the page that links to them: `?print=1`, `?replytocom=7`, `/reply`.
  One is new if a twentieth of its text is; to know that, a quarter of the pages that
  have views are read;
- redirects of these that lead nowhere new, and pages under a case variant
  (`case_variants.py`).

Ordinary pages are not even looked at; a template with yield is looked at more and more
rarely, down to every 32nd page. No more pages of a suspect template are under way at
once than it has credit left; beyond that its host waits for them. So a trap costs some
40 to 150 requests, whatever `per_host` is.

A site that puts a new word at the top of each path (`/amber-birch`, `/cedar-dune/5`)
has no part that links to itself; for these there is a rule of its own
(`name_mazes.py`).

What this can't see: text made up by the server for each request. Limits are for that
(`limits.max_pages_per_host`, `limits.max_pages_per_template`).
"""

from crawler.policy.traps.detector import Traps

__all__ = ["Traps"]
