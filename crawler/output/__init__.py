"""What a crawl writes for its user: records into sinks, pictures into files.

sink           the protocol of a sink, and what each one promises
registry       the sinks by the ending of an output's name
jsonl          records as JSON Lines; a sink
lines          lines at the end of a file that can be cut back, or into a pipe
images         pictures on disk: safe names, whole contents
image_journal  which pictures may lie on disk without a record
schema_export  the schema of the records in the languages of their readers
"""
