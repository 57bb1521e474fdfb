"""What a crawl writes for its user: records into sinks, contents into files.

sink           the protocol of a sink, and what each one promises
registry       the sinks by the ending of an output's name
jsonl          records as JSON Lines; a sink
lines          lines at the end of a file that can be cut back, or into a pipe
parts          a stream in numbered parts, each finished for good
objects        finished parts in object storage, with a manifest
compression    members of gzip and frames of zstd, each written whole
stored_lines   reads the lines back, with the offsets behind them
files          pictures and bodies on disk, whole or absent, by a journal
images         the names of pictures
bodies         which bodies are saved, and their names
mirror         names and files of a copy that a browser reads offline
warc           exchanges as WARC 1.1 files with a CDXJ index
schema_export  the schema of the records in the languages of their readers
"""
