"""How a crawl is told what to do: from TOML, the environment and flags to a `Config`.

`fields` knows the keys, `checks` what their types can't say, `secrets` what must not be
shown, `load` reads and reports, `doc` writes. What the keys mean stands in
`crawler/model/config.py`.
"""
