from decimal import Decimal

import pytest

from hedgerow.domain.commands import TransferDirection
from hedgerow.strategy.evaluation.rebalancing import rebalance, reduction, top_up
from support.views import account, pair_of, short_of


@pytest.mark.parametrize(
    ("spot", "perp", "direction", "amount"),
    [
        ("500", "1150.25", TransferDirection.PERP_TO_SPOT, "325.125"),
        ("1150.25", "500", TransferDirection.SPOT_TO_PERP, "325.125"),
        ("10", "12.00000001", TransferDirection.PERP_TO_SPOT, "1.00000000"),
    ],
)
def test_half_the_difference_moves(spot: str, perp: str, direction: TransferDirection, amount: str) -> None:
    move = rebalance(account(usdt=spot, perp=perp))
    assert move is not None
    assert (move.direction, move.amount) == (direction, Decimal(amount))


@pytest.mark.parametrize(("spot", "perp"), [("100", "101"), ("101", "100"), ("100", "100.99")])
def test_a_difference_of_a_dollar_is_left_alone(spot: str, perp: str) -> None:
    assert rebalance(account(usdt=spot, perp=perp)) is None


def test_margin_never_leaves_while_any_perpetual_position_is_open() -> None:
    assert rebalance(account(short_of("ZZZUSDT"), usdt="100", perp="500")) is None
    assert rebalance(account(short_of(quantity="0"), usdt="100", perp="500")) is not None


def test_margin_may_be_added_while_a_position_is_open() -> None:
    move = rebalance(account(short_of(), usdt="500", perp="100"))
    assert move is not None
    assert move.to_perp == 200


def test_the_command_carries_its_id() -> None:
    move = rebalance(account(usdt="100", perp="500"))
    assert move is not None
    assert move.to_perp == -200
    assert move.command("x1").transfer_id == "x1"


def test_a_top_up_takes_no_more_than_is_idle_or_needed() -> None:
    some, all_of_it = top_up(account(usdt="100"), Decimal(30)), top_up(account(usdt="100"), Decimal(300))
    assert some is not None
    assert some.amount == 30
    assert all_of_it is not None
    assert all_of_it.amount == 100
    assert top_up(account(usdt="0.9"), Decimal(300)) is None
    assert top_up(account(usdt="100"), Decimal(-5)) is None


@pytest.mark.parametrize("distance", [0.01, 0.1, 0.15, 0.199])
def test_a_reduction_whose_proceeds_become_margin_restores_the_distance(distance: float) -> None:
    legs, price = Decimal(1000), Decimal(100)
    quantity = reduction(pair_of(), legs=legs, distance=distance, target=0.3, price=price, cap_bps=Decimal(10))
    assert quantity is not None
    margin = Decimal(str(distance)) * legs * price + quantity * price * Decimal("0.997")
    assert margin / ((legs - quantity) * price) == pytest.approx(Decimal("0.3"), rel=Decimal("0.01"))


def test_a_reduction_is_a_whole_number_of_lots_and_large_enough_to_be_traded() -> None:
    arguments = {"distance": 0.29, "target": 0.3, "price": Decimal(100), "cap_bps": Decimal(10)}
    small = reduction(pair_of(), legs=Decimal(2), **arguments)  # type: ignore[arg-type] # a test's shorthand
    assert small is not None
    assert small % pair_of().lot_step == 0
    assert small * 100 >= 2 * pair_of().min_notional


def test_what_would_leave_too_little_is_not_reduced() -> None:
    tiny = Decimal("0.12")
    assert reduction(pair_of(), legs=tiny, distance=0.1, target=0.3, price=Decimal(100), cap_bps=Decimal(10)) is None
