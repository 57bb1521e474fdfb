"""What a crawl shows beside its records: on a terminal, as plain lines, as a log."""
