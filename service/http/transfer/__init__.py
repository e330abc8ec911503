"""Import and export of files as streams, with or without HTTP.

The way of a line: `spool` and `splitter` make lines of bytes, `csv_reader` and `parser` structs of lines, as `spec`
says, `batching` batches of structs; `writer` stores a batch, with `references`, `upsert` and `seen_keys` where a plain
insert is not enough; `overlap` lets the next batch begin meanwhile; `job` runs all of it and returns the report of
`reports`.
"""
