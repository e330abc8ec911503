"""What an import of recordings stores."""

from service.http.transfer.declarations import Import
from service.models import Record
from service.records import schemas

IMPORT = Import(
    Record,
    title="recordings",
    create=schemas.RecordCreate,
    view=schemas.Record,
    match=("external_id",),
)
