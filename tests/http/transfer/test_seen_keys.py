"""A ledger that is left while its thread still works: closing its database then would end the process."""

import asyncio

import pytest

from service.http.transfer.seen_keys import SeenKeys
from service.http.transfer.spool import Spool


async def test_a_cancelled_write_ends_before_its_caller_goes_on() -> None:
    with SeenKeys(Spool()) as ledger:
        writing = asyncio.create_task(ledger.write({f"key {number}": True for number in range(50_000)}))
        await asyncio.sleep(0.02)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await ledger.read(["key 0", "key 49999"]) == {"key 0": True, "key 49999": True}
