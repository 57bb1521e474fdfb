"""The settings: from TOML, the environment and options to a `Config`.

`fields` lists the keys and reads one value; `checks` holds the rules that a type cannot
express; `secrets` resolves and redacts secrets; `load` merges the sources and reports
errors with their positions; `doc` prints the example, the effective values, the JSON
Schema and the help of options. The keys are defined and explained in
`crawler/model/config.py`.
"""
