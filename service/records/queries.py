"""What is read of recordings."""

from sqlalchemy import bindparam

from service.db.listing import Filter, Listing, contains
from service.db.reader import Query
from service.db.rows import columns
from service.db.types import holds
from service.models import Record
from service.records import schemas

_SELECT = columns(Record, schemas.Record)

RECORD = Query(schemas.Record, _SELECT.where(Record.id == bindparam("id")))

RECORDS = Listing(
    schemas.Record,
    _SELECT,
    key=Record.id,
    sorts={"id": Record.id, "title": Record.title_key, "date_created": Record.date_created},
    filters={
        "q": contains(Record.title_key),
        "external_id": Filter(lambda value: Record.external_id == value),
        "owner_id": Filter(lambda value: Record.owner_id == value),
        "tag": Filter(lambda value: holds(Record.tags, value)),
    },
)
