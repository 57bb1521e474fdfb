"""What a crawl shows besides its records: a live view, plain lines, or a log."""
