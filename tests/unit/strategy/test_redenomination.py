"""One new coin for a thousand old ones: recognised by coins, price and short together, and by nothing less."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.account import PerpPosition
from hedgerow.strategy.redenomination import looks_redenominated, redenomination, short_redenomination
from support.views import hedge, holding, short_of

OLD = hedge("10")
"""Ten coins at 100 each."""


@pytest.mark.parametrize(("coins", "seen"), [("0.01", True), ("2", True), ("2.1", False), ("10", False), ("0", False)])
def test_few_coins_are_a_reason_to_ask_the_statement_and_none_are_not(coins: str, *, seen: bool) -> None:
    assert looks_redenominated(OLD, holding(coins=coins)) is seen


def test_few_of_the_coins_that_the_wallet_should_have_are_a_reason_though_they_are_as_many_as_the_hedge_had() -> None:
    assert looks_redenominated(OLD, holding(coins="10"), Decimal(10_000))
    assert not looks_redenominated(OLD, holding(coins="10"), Decimal(49))


def test_what_cannot_be_read_or_is_not_settled_is_no_reason() -> None:
    assert not looks_redenominated(OLD, holding(coins="0.01", unreadable_balances=frozenset({"AAA"})))
    assert not looks_redenominated(hedge("10", tally=hedge("10").tally.__class__()), holding(coins="0.01"))


def found(price: str | None = "100000", exchanged: str = "9.99", **account: Any) -> Decimal | None:
    shown = {"coins": "0.01", **account}
    positions = shown.pop("positions", (short_of(quantity="0.01"),))
    return redenomination(
        OLD, holding(*positions, **shown), Decimal(exchanged), None if price is None else Decimal(price)
    )


def test_coins_price_and_short_prove_a_redenomination() -> None:
    assert found() == 1000
    assert found(price="60000") == 1000
    assert found(price="410000") == 1000, "the price is four times what it was besides"
    assert found(price="10000") == 1000, "the price is a tenth of what it was besides"
    assert found(positions=(short_of(quantity="0.0101"),)) == 1000


def test_a_short_that_the_exchange_settled_proves_it_too() -> None:
    assert found(positions=(short_of("BBBUSDT"),)) == 1000


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"price": None}, id="no price"),
        pytest.param({"price": "100"}, id="the price has not risen"),
        pytest.param({"price": "20000000"}, id="the price has risen too far"),
        pytest.param({"exchanged": "0"}, id="no row"),
        pytest.param({"coins": "0"}, id="no coins"),
        pytest.param({"exchanged": "7"}, id="no power of ten"),
        pytest.param({"exchanged": "0.001"}, id="hardly anything was exchanged"),
        pytest.param({"positions": (short_of(quantity="10"),)}, id="the short is in old units"),
        pytest.param({"unreadable_positions": frozenset({"AAAUSDT"})}, id="the short cannot be read"),
    ],
)
def test_less_proves_nothing(facts: dict[str, Any]) -> None:
    assert found(**facts) is None


@pytest.mark.parametrize(("before", "since"), [("4", "0"), ("0", "0.004")])
def test_a_short_that_trades_have_reduced_proves_it_too(before: str, since: str) -> None:
    shown = holding(short_of(quantity="0.006"), coins="0.01")
    exchanged, price = Decimal("9.99"), Decimal(100_000)
    bought = {"bought_before": Decimal(before), "bought_since": Decimal(since)}
    assert redenomination(OLD, shown, exchanged, price, **bought) == 1000
    assert redenomination(OLD, shown, exchanged, price) is None


def test_a_hedge_whose_price_is_not_known_proves_nothing() -> None:
    unknown = hedge("10", orders=())
    assert (
        redenomination(unknown, holding(short_of(quantity="0.01"), coins="0.01"), Decimal("9.99"), Decimal(1)) is None
    )


@pytest.mark.parametrize(
    ("coins", "exchanged", "short", "factor"),
    [
        pytest.param("0.00000055", "0.000545", "0.01", 1000, id="rounded"),
        pytest.param("0", "0.000004", "0.01", 1000, id="rounded to nothing"),
        pytest.param("0", "0.000004", "0", None, id="rounded, and the short is gone"),
        pytest.param("0.00000055", "0.0006", "0.01", None, id="more than rounding"),
        pytest.param("0.00000055", "0.000545", "0", 1000, id="rounded a little, and the short is settled"),
        pytest.param("0.00000009", "0.000085", "0", None, id="rounded much, and the short is gone"),
    ],
)
def test_a_rounded_number_of_new_coins_proves_it_with_the_short_or_where_it_is_countable(
    coins: str, exchanged: str, short: str, factor: int | None
) -> None:
    assert found(coins=coins, exchanged=exchanged, positions=(short_of(quantity=short),)) == factor


def converted(quantity: str = "0.01", entry: str = "100000") -> PerpPosition:
    """Return what an exchange shows of a short of ten at 100, a thousandth and a thousand times unless it is said."""
    return short_of(quantity=quantity, entry_price=Decimal(entry))


@pytest.mark.parametrize(
    ("first", "second", "price", "factor"),
    [
        pytest.param(converted(), converted(), "90000", 1000, id="converted"),
        pytest.param(converted(entry="100"), converted(), "90000", None, id="one endpoint has the old price"),
        pytest.param(converted(), converted(entry="100"), "90000", None, id="the other one has it"),
        pytest.param(converted(quantity="0.02"), converted(), "90000", None, id="another quantity"),
        pytest.param(converted(), converted(), "600", None, id="another coin with the same ticker"),
        pytest.param(converted(), converted(), "100", None, id="the price has not risen"),
        pytest.param(converted(), converted(), "0", None, id="no price"),
    ],
)
def test_the_entry_price_that_the_exchange_keeps_proves_it_for_a_short_without_coins(
    first: PerpPosition, second: PerpPosition, price: str, factor: int | None
) -> None:
    assert short_redenomination(OLD, first, second, Decimal(price)) == factor


def test_a_short_that_the_bot_did_not_sell_proves_nothing() -> None:
    adopted = hedge("10", orders=hedge("10").orders[:1])
    assert short_redenomination(adopted, converted(), converted(), Decimal(90_000)) is None
