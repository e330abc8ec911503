import re
import secrets

import pytest

from service.http.auth.token_text import WRITTEN, digest, is_token, new_token


def test_tokens_are_long_random_and_found_by_scanners() -> None:
    tokens = {new_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(WRITTEN, each) and is_token(each) for each in tokens)
    assert {len(each) for each in tokens} == {56}


@pytest.mark.parametrize(("drawn", "digits"), [(b"\0" * 32, "0" * 43), (b"\xff" * 32, None)])
def test_every_draw_has_the_same_length(monkeypatch: pytest.MonkeyPatch, drawn: bytes, digits: str | None) -> None:
    monkeypatch.setattr(secrets, "token_bytes", lambda _size: drawn)
    text = new_token()
    assert is_token(text)
    assert digits is None or text[7:50] == digits


def test_a_slip_is_found_without_asking_the_database() -> None:
    text = new_token()
    for at in range(7, 56):
        other = "a" if text[at] != "a" else "b"
        assert not is_token(text[:at] + other + text[at + 1 :])


@pytest.mark.parametrize("change", ["{} ", " {}", "{}\n", "{}0", "R{}", "", "roster_", "roster_" + "é" * 49])
def test_nothing_else_is_a_token(change: str) -> None:
    assert not is_token(change.format(new_token()))


def test_the_digest_is_sha_256() -> None:
    assert digest("abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
