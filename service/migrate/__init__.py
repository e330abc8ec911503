"""Schema changes under live traffic, for any project with an async Alembic environment.

A revision calls `ops`; `plan` turns its file into steps of `operations`, in the SQL of `dialects`; `run` executes the
steps under a lock, and `state` records them in the database. `entrypoints` is for Alembic, Python code and the command
line. The package depends on no noun of the service and on no HTTP.
"""
