"""Small tables on which the trap of every test can be set."""

from sqlalchemy import ForeignKey, MetaData, String, func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from service.models.base import NAMING, Tracked


class Tables(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Mark(Tables):
    """Something that was stored; nothing keeps it from being stored twice."""

    __tablename__ = "marks"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(50))


class Counter(Tracked, Tables):
    __tablename__ = "counters"

    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Debt(Tables):
    """Its foreign key is checked at COMMIT, which therefore can fail."""

    __tablename__ = "debts"

    id: Mapped[int] = mapped_column(primary_key=True)
    mark_id: Mapped[int] = mapped_column(ForeignKey("marks.id", deferrable=True, initially="DEFERRED"))


class Pledge(Tables):
    """It keeps its mark from being deleted."""

    __tablename__ = "pledges"

    id: Mapped[int] = mapped_column(primary_key=True)
    mark_id: Mapped[int] = mapped_column(ForeignKey("marks.id", ondelete="RESTRICT"))

    mark: Mapped[Mark] = relationship()


async def marks(engine: AsyncEngine) -> list[str]:
    """The texts of all marks, in the order of their ids."""
    async with engine.connect() as connection:
        return list(await connection.scalars(select(Mark.text).order_by(Mark.id)))


async def count(engine: AsyncEngine, table: type[Tables]) -> int:
    async with engine.connect() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)
