"""The pauses between attempts."""

from service.db.backoff import Backoff


def test_a_pause_grows_to_the_longest_and_varies_by_the_jitter() -> None:
    exact = Backoff(first=0.1, longest=0.5, jitter=0)
    assert [round(exact.pause(), 3) for _ in range(5)] == [0.1, 0.2, 0.4, 0.5, 0.5]
    varied = [Backoff(first=0.1, longest=0.5).pause() for _ in range(100)]
    assert 0.05 <= min(varied) < max(varied) <= 0.15
    assert Backoff(first=0.1, longest=0.001, jitter=0).pause() == 0.001


def test_the_deadline_counts_from_the_beginning() -> None:
    assert 59 < Backoff(first=1, longest=1, deadline_seconds=60).seconds_left <= 60
    assert Backoff(first=1, longest=1, deadline_seconds=0).seconds_left < 0
    assert Backoff(first=1, longest=1).seconds_left == float("inf")
