"""What is read of the login history."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, literal_column, or_, select, type_coerce

from service.db.folding import fold
from service.db.listing import Filter, Listing
from service.db.reader import Query
from service.db.time_ids import TimeOfId, id_at
from service.logins import schemas
from service.models import Login, User

# The next failure in the same quarter of an hour is refused; service/logins/actions.py says what each limit is for.
FROM_ONE_CLIENT = 5
OF_AN_ACCOUNT = 50
OF_A_CLIENT = 100
# Rows that one client's refused attempts make in a minute.
REFUSALS_OF_A_CLIENT = 10

FAILURES = ("wrong", "unknown", "inactive")

LOGINS = Listing(
    schemas.Login,
    select(
        Login.id,
        type_coerce(Login.id, TimeOfId).label("time"),
        Login.user_id,
        Login.outcome,
        Login.address,
        Login.agent,
        Login.email,
    ),
    key=Login.id,
    sorts={"time": Login.id},
    filters={
        "user_id": Filter(lambda value: Login.user_id == value),
        "outcome": Filter(lambda value: Login.outcome == value),
        "email": Filter(lambda value: Login.email_key == value, fold),
        # The index is by network, of which an address is a part.
        "network": Filter(lambda value: Login.network == value),
        "address": Filter(lambda value: Login.address == value),
        "since": Filter(lambda value: Login.id >= value, id_at),
        "until": Filter(lambda value: Login.id < value, id_at),
    },
)

USER = Query(lambda id: id, select(User.id).where(User.id == bindparam("id")))


class Standing(msgspec.Struct, frozen=True):
    """Where an account and a client stand: the failure that fills each limit, and what was noted lately.

    Each field is the id of a row, which is its time, or None.
    """

    from_one_client: int | None
    of_the_account: int | None
    of_the_client: int | None
    succeeded: int | None
    refused: int | None
    refusals_of_the_client: int | None


_OF_THE_ACCOUNT = Login.email_key == bindparam("email_key")
_OF_THE_CLIENT = Login.network == bindparam("network")


def _nth(nth: int, outcomes: Iterable[str], since: str, *conditions: ColumnElement[bool]) -> Any:
    """The n-th newest row since then, so that one index range is read, of n rows at most."""
    # Written out: a bound list would be another statement for each of its lengths.
    wanted = or_(*(Login.outcome == literal_column(f"'{each}'") for each in outcomes))
    found = select(Login.id).where(*conditions, wanted, Login.id > bindparam(since))
    return found.order_by(Login.id.desc()).offset(nth - 1).limit(1).scalar_subquery()


STANDING = Query(
    Standing,
    select(
        _nth(FROM_ONE_CLIENT, FAILURES, "since", _OF_THE_ACCOUNT, _OF_THE_CLIENT).label("from_one_client"),
        _nth(OF_AN_ACCOUNT, FAILURES, "since", _OF_THE_ACCOUNT).label("of_the_account"),
        _nth(OF_A_CLIENT, FAILURES, "since", _OF_THE_CLIENT).label("of_the_client"),
        _nth(1, ("ok",), "known_since", _OF_THE_ACCOUNT, _OF_THE_CLIENT).label("succeeded"),
        _nth(1, ("throttled",), "noted_since", _OF_THE_ACCOUNT, _OF_THE_CLIENT).label("refused"),
        _nth(REFUSALS_OF_A_CLIENT, ("throttled",), "noted_since", _OF_THE_CLIENT).label("refusals_of_the_client"),
    ),
)
