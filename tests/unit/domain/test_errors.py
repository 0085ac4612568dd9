import pytest

from hedgerow.domain import errors


def test_every_error_is_one_of_ours_so_that_one_handler_sees_them_all() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.HedgerowError)


@pytest.mark.parametrize(
    "kind",
    [
        errors.InsufficientBalance,
        errors.FilterViolated,
        errors.OrderNotFound,
        errors.ReduceOnlyRejected,
        errors.MarketClosed,
    ],
)
def test_a_refusal_carries_the_venues_code(kind: type[errors.Rejected]) -> None:
    refusal = kind("ABCUSDT: no", -2010)
    assert (str(refusal), refusal.code) == ("ABCUSDT: no", -2010)


def test_a_rate_limit_says_how_long_to_wait() -> None:
    assert errors.RateLimited("slow down", 12.5).retry_after_seconds == 12.5


def test_what_may_have_executed_is_not_what_was_never_sent() -> None:
    assert not issubclass(errors.OutcomeUnknown, errors.NotSent)
    assert not issubclass(errors.InvariantBroken, errors.VenueError)
