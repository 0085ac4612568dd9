import pytest

from hedgerow.engine.backoff import backoff_seconds


def test_pauses_double_up_to_the_longest() -> None:
    assert [backoff_seconds(5, 60, n) for n in (0, 1, 2, 3, 4, 5, 6)] == [5, 5, 10, 20, 40, 60, 60]


@pytest.mark.parametrize("failures", [1024, 2000, 10**6])
def test_a_thousand_failures_in_a_row_do_not_overflow(failures: int) -> None:
    assert backoff_seconds(5, 300, failures) == 300
