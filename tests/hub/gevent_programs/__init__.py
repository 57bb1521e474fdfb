"""Programs for gevent, after the examples that gevent publishes.

tests/hub/test_gevent_programs.py runs them on gevent, and on the hub with the imports
changed.
"""
