"""Records in object storage: finished parts, and a manifest that lists them.

address   s3://BUCKET/KEY, gs:// and az://, and the folder where parts wait
bucket    puts and gets objects, by obstore; its errors are sentences
manifest  which parts are committed and uploaded
uploader  the parts of one output: uploaded once, then removed here

A part is written to a file of the crawl's folder as any output is, and uploaded when it
is finished and its commit is on the disk (`output/parts.py`). It stays until it is in
the bucket and in the manifest, and a resume uploads what was not. So neither `kill -9`
nor a network that fails loses or repeats a record: a part that is no part of the
manifest does not count.
"""
