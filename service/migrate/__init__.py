"""Schema changes beside live traffic, for any project with an async Alembic environment.

A revision is written with `ops`; `plan` turns its file into steps of `operations`, in the SQL of `dialects`; `run` does
them under a lock, `state` remembers in the database what is done, and `entrypoints` is what Alembic, Python code and
the command line call. The package knows no noun of the service and nothing of HTTP.
"""
