"""Import and export of recordings."""

from service.http.transfer.exports import Export
from service.http.transfer.spec import Import
from service.models import Record
from service.records import queries, schemas

IMPORT = Import(
    Record,
    title="recordings",
    create=schemas.RecordCreate,
    view=schemas.Record,
    match=("external_id",),
)

EXPORT = Export("records", queries.RECORDS, schemas.Record, schemas.RecordParameters, title="recordings")
