"""The crawler: one room per subject, in the order in which a URL passes through
them."""

__version__ = "0.1.0"
