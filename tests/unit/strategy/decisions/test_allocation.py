"""How much the next hedge gets: an equal part of what is free, within its limits."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.domain.account import PerpWallet
from hedgerow.domain.ledger.state import Ledger
from hedgerow.strategy.decisions.allocation import committed, free_slots, funds_for_next, leg_of_next, parts
from hedgerow.strategy.evaluation.sizing import Funds
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.drawing import examples
from support.views import account, hedge, pair_of, several_of, short_of


def policy(slots: int, **capital: Decimal) -> VolumeFarming:
    return VolumeFarming(
        StrategyParameters(
            capital_management=CapitalManagement(capital_fraction=Decimal(1), **capital),
            position_management=PositionManagement(max_positions=slots),
        )
    )


def funds(spot: int, perp: int | None = None) -> Funds:
    return Funds(spot=Decimal(spot), perp=Decimal(spot if perp is None else perp), equity=Decimal(2 * spot))


def allocated(total: int, caps: Sequence[int], slots: int, least: int) -> tuple[int, ...]:
    """Fill the slots one after the other, best pair first, as the cycle does; whole units, of both legs."""
    found: list[int] = []
    left, free = total, slots
    for cap in caps:
        size = min(cap, left // parts(Decimal(left), free, Decimal(least))) if free else 0
        size = size if size >= least else 0
        found.append(size)
        left, free = left - size, free - (size > 0)
    return tuple(found)


def brute(total: int, caps: Sequence[int], slots: int, least: int) -> tuple[int, ...]:
    """Try every allocation; the best one gives the best pair as much as its fair part allows, then the next one."""

    def fair(sizes: Sequence[int]) -> bool:
        left, free = total, slots
        for size, cap in zip(sizes, caps, strict=True):
            if size == 0:
                continue
            sharing = [count for count in range(1, free + 1) if count == 1 or left >= count * least]
            if not free or size < least or size > cap or size > left // max(sharing):
                return False
            left, free = left - size, free - 1
        return True

    def every() -> Iterator[tuple[int, ...]]:
        return (sizes for sizes in product(*(range(cap + 1) for cap in caps)) if fair(sizes))

    return max(every())


@given(st.integers(0, 30), st.lists(st.integers(0, 12), min_size=1, max_size=4), st.integers(1, 4), st.integers(1, 8))
@settings(max_examples=examples(200))
def test_slots_are_filled_as_trying_every_allocation_fills_them(
    total: int, caps: list[int], slots: int, least: int
) -> None:
    assert allocated(total, caps, slots, least) == brute(total, caps, slots, least)


def test_without_a_least_every_slot_has_a_part() -> None:
    assert parts(Decimal(10), 4, Decimal(0)) == 4
    assert parts(Decimal(10), 0, Decimal(0)) == 1


def test_one_slot_gets_what_the_policy_wants() -> None:
    assert leg_of_next(Ledger(), funds(500), policy(1)) == 500
    assert leg_of_next(Ledger(), funds(500), policy(1, max_capital_usd=Decimal(300))) == 150


def test_several_slots_share_what_is_free() -> None:
    assert leg_of_next(Ledger(), funds(500), policy(4)) == 125
    assert leg_of_next(Ledger(), funds(60), policy(4)) == 30  # four parts would be below the least
    assert leg_of_next(Ledger(), funds(500, 300), policy(2)) == 150


def test_the_limit_of_all_counts_what_is_held() -> None:
    held = several_of(hedge("1"))
    assert committed(held) == 200
    assert free_slots(held, policy(3)) == 2
    assert leg_of_next(held, funds(500), policy(3, max_capital_usd=Decimal(400))) == 50
    assert leg_of_next(held, funds(500), policy(3, max_capital_usd=Decimal(220))) == 0


def test_the_limits_of_one_position_hold() -> None:
    assert leg_of_next(Ledger(), funds(500), policy(1, max_position_usd=Decimal(120))) == 60
    assert leg_of_next(Ledger(), funds(100), policy(1, max_position_equity=Decimal("0.2"))) == 0
    assert leg_of_next(Ledger(), funds(500), policy(1, max_position_equity=Decimal("0.2"))) == 100
    assert leg_of_next(Ledger(), funds(500), policy(1, reserve_usd=Decimal(400))) == 300
    assert leg_of_next(Ledger(), funds(500), policy(1, reserve_usd=Decimal(2000))) == 0


def test_margin_that_held_shorts_lack_comes_before_another_hedge() -> None:
    ledger = several_of(hedge("10"))
    row = replace(short_of(quantity="10"), unrealized_pnl=Decimal(-600))
    wallet = PerpWallet(
        balance=Decimal(1000), unrealized_pnl=Decimal(-600), available=Decimal(0), transferable=Decimal(0)
    )
    seen = replace(account(row, usdt="2000"), perp=wallet)
    found = funds_for_next(seen, ledger)
    # 400 of margin for a short worth 1,000, and 2 % of it for a rise meanwhile: 620 are lacking.
    assert found.rebalance is not None
    assert found.rebalance.amount == 1310
    assert found.spot == found.perp == 690
    assert funds_for_next(account(usdt="100"), Ledger()).rebalance is not None


def test_what_lies_idle_beside_hedges_goes_back_to_the_spot_wallet() -> None:
    ledger = several_of(hedge("1"), hedge("1", hedge_id="h2", pair=pair_of("BBBUSDT")))
    wallet = PerpWallet(balance=Decimal(1200), available=Decimal(1000), transferable=Decimal(1000))
    rows = (short_of(quantity="1"), short_of("BBBUSDT", "1"))
    seen = replace(account(*rows, usdt="0"), perp=wallet)
    move = funds_for_next(seen, ledger).rebalance
    assert move is not None
    assert move.to_perp == -move.amount == -498
    foreign = replace(account(*rows, short_of("CCCUSDT", "1"), usdt="0"), perp=wallet)
    assert funds_for_next(foreign, ledger).rebalance is None


def test_held_coins_count_at_the_price_at_which_the_result_of_their_short_is_counted() -> None:
    ledger = several_of(hedge("10"))
    limit = policy(3, max_position_equity=Decimal("0.1"))
    legs: list[Decimal] = []
    for mark in ("100", "50", "150"):
        row = replace(short_of(quantity="10"), mark_price=Decimal(mark))
        gained = 10 * (100 - Decimal(mark))
        wallet = PerpWallet(
            balance=Decimal(4000), unrealized_pnl=gained, available=Decimal(2900), transferable=Decimal(2900)
        )
        legs.append(leg_of_next(ledger, funds_for_next(replace(account(row, usdt="3000"), perp=wallet), ledger), limit))
    assert legs == [400, 400, 400], "a fall or a rise of the price changes no equity of a hedge"


def test_coins_whose_short_the_account_does_not_show_are_no_equity() -> None:
    seen = account(usdt="1000")
    assert funds_for_next(seen, several_of(hedge("10"))).equity == seen.spot_usdt + seen.perp.margin_balance
