"""Recordings over HTTP."""

from litestar import Router
from sqlalchemy.ext.asyncio import AsyncSession

from service.db.listing import Page
from service.db.reader import Reader
from service.db.rows import get_for_update, insert_one, read_for_update, update_one
from service.errors import NotFound
from service.http.auth.actors import Actor
from service.http.auth.permissions import ANYONE
from service.http.etags import Conditions
from service.http.exports import exporting
from service.http.imports import importing
from service.http.unit import reads, writes
from service.http.wire import sent
from service.models import Record
from service.records import queries, schemas, transfer


@reads("/", permission="records.read", summary="List recordings", result=schemas.RecordPage)
async def list_records(reader: Reader, query: schemas.RecordParameters) -> Page[schemas.Record]:
    return await queries.RECORDS.page(reader, query)


@writes("POST", "/", permission="records.write", summary="Create a recording", status=201, idempotent=True)
async def create_record(session: AsyncSession, body: schemas.RecordCreate) -> schemas.Record:
    return await insert_one(session, Record, sent(body), schemas.Record)


@reads("/{record_id}", permission="records.read", summary="Read a recording")
async def get_record(reader: Reader, record_id: int) -> schemas.Record:
    if record := await reader.first(queries.RECORD, id=record_id):
        return record
    raise NotFound(f"There is no record {record_id}.")


@writes("PATCH", "/{record_id}", permission="records.write", summary="Change a recording")
async def update_record(
    session: AsyncSession, record_id: int, conditions: Conditions, body: schemas.RecordUpdate
) -> schemas.Record:
    record = await read_for_update(session, Record, record_id, schemas.Record)
    conditions.match(record.version)
    return await update_one(session, Record, record, sent(body))


@writes("DELETE", "/{record_id}", permission="records.write", summary="Delete a recording", status=204)
async def delete_record(session: AsyncSession, record_id: int, conditions: Conditions) -> None:
    record = await get_for_update(session, Record, record_id, to_delete=True)
    conditions.match(record.version)
    await session.delete(record)


@reads(
    "/v1/me/records", permission=ANYONE, summary="List one's own recordings", result=schemas.RecordPage, problems=(403,)
)
async def list_own_records(reader: Reader, actor: Actor, query: schemas.OwnRecordParameters) -> Page[schemas.Record]:
    """Lists the recordings whose owner is the user of the token."""
    return await queries.RECORDS.page(reader, query, fixed={"owner_id": actor.require_user()})


_of_records = Router(
    "/v1/records",
    route_handlers=[
        list_records,
        create_record,
        get_record,
        update_record,
        delete_record,
        importing(transfer.IMPORT, permission="records.write"),
        exporting(transfer.EXPORT, permission="records.read"),
    ],
)

router = Router("/", route_handlers=[_of_records, list_own_records])
