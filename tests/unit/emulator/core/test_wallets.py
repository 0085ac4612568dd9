from decimal import Decimal

import pytest

from hedgerow.domain.account import Balance
from hedgerow.domain.errors import InsufficientBalance
from hedgerow.emulator.core.market_changes import BracketChange, LeverageTier, margin_tiers
from hedgerow.emulator.core.wallets import Holding, PerpAccount, SpotWallet

D = Decimal


def account(balance: str = "1000", *, leverage: int = 1) -> PerpAccount:
    perp = PerpAccount(balance=D(balance), maintenance_rate=D("0.01"), default_leverage=20)
    perp.leverages["AAAUSDT"] = leverage
    return perp


def test_a_change_that_is_refused_leaves_the_wallet_as_it_was() -> None:
    wallet = SpotWallet({"USDT": Balance(asset="USDT", free=D(10))})
    with pytest.raises(InsufficientBalance):
        wallet.change("USDT", D("-10.01"))
    with pytest.raises(InsufficientBalance):
        wallet.lock("USDT", D(11))
    assert wallet.balances == {"USDT": Balance(asset="USDT", free=D(10))}


def test_what_is_locked_still_belongs_to_the_account() -> None:
    wallet = SpotWallet({"USDT": Balance(asset="USDT", free=D(10))})
    wallet.lock("USDT", D(4))
    assert wallet.of("USDT") == Balance(asset="USDT", free=D(6), locked=D(4))
    assert wallet.of("USDT").total == 10


def test_entry_is_the_average_price_of_what_was_added() -> None:
    held, _ = Holding().traded(D(-1), D(100))
    held, realized = held.traded(D(-3), D(104))
    assert (held.quantity, held.entry_price, realized) == (D(-4), D(103), D(0))
    assert held.unrealized(D(100)) == 12


def test_reducing_realises_its_part_and_keeps_the_entry() -> None:
    held, _ = Holding().traded(D(-4), D(100))
    held, realized = held.traded(D(1), D(90))
    assert realized == 10
    assert (held.quantity, held.entry_price) == (D(-3), D(100))


def test_turning_around_closes_at_the_price_and_enters_anew() -> None:
    held, _ = Holding().traded(D(-4), D(100))
    held, realized = held.traded(D(6), D(90))
    assert realized == 40
    assert (held.quantity, held.entry_price) == (D(2), D(90))


def test_rounding_a_part_loses_nothing_over_all_parts_of_a_position() -> None:
    perp = account()
    perp.trade("AAAUSDT", D(3), D("0.100000001"))
    for price in ("0.1", "0.2", "0.333333333"):
        perp.trade("AAAUSDT", D(-1), D(price))
    assert perp.balance == 1000 + D("0.1") + D("0.2") + D("0.333333333") - 3 * D("0.100000001")
    assert perp.holdings == {}


def test_a_part_realises_at_most_eight_decimals() -> None:
    held, _ = Holding().traded(D(3), D("0.1"))
    held, _ = held.traded(D(4), D("0.2"))
    _, realized = held.traded(D(-1), D("0.3"))
    assert realized == D("0.14285714")


def test_only_what_adds_to_a_position_needs_margin() -> None:
    perp = account()
    perp.trade("AAAUSDT", D(-4), D(100))
    assert perp.opening_part("AAAUSDT", D(-1)) == 1
    assert perp.opening_part("AAAUSDT", D(3)) == 0
    assert perp.opening_part("AAAUSDT", D(6)) == 2


def test_a_short_in_loss_frees_less_than_it_blocks() -> None:
    perp = account()
    perp.trade("AAAUSDT", D(-4), D(100))
    wallet = perp.wallet(perp.standing(lambda _: D(110)), D(0))
    assert wallet.unrealized_pnl == -40
    assert wallet.available == 1000 - 40 - 440
    assert wallet.transferable == wallet.available


def test_unrealised_profit_can_be_traded_with_but_not_taken_out() -> None:
    perp = account()
    perp.trade("AAAUSDT", D(-4), D(100))
    wallet = perp.wallet(perp.standing(lambda _: D(90)), D(0))
    assert wallet.available == 1000 + 40 - 360
    assert wallet.transferable == 1000 - 360


def test_the_liquidation_price_is_where_margin_meets_maintenance() -> None:
    perp = account("100")
    perp.trade("AAAUSDT", D(-1), D(100))
    price = perp.position("AAAUSDT", D(100), perp.standing(lambda _: D(100))).liquidation_price
    assert price is not None
    assert price == pytest.approx(D(200) / D("1.01"))
    standing = perp.standing(lambda _: price)
    assert perp.balance + standing.unrealized == pytest.approx(standing.maintenance_margin)


def test_a_long_without_debt_has_no_liquidation_price() -> None:
    perp = account("1000")
    perp.trade("AAAUSDT", D(1), D(100))
    assert perp.position("AAAUSDT", D(100), perp.standing(lambda _: D(100))).liquidation_price is None


# --- tiers -------------------------------------------------------------------------------------------------------


STEPS = margin_tiers(
    (
        LeverageTier(floor=D(0), rate=D("0.01")),
        LeverageTier(floor=D(1000), rate=D("0.05")),
        LeverageTier(floor=D(2000), rate=D("0.2")),
    )
)


def stepped(balance: str = "500") -> PerpAccount:
    perp = PerpAccount(balance=D(balance), maintenance_rate=D("0.01"), default_leverage=20, maintenance_tiers=STEPS)
    perp.trade("AAAUSDT", D(-10), D(90))
    return perp


def test_maintenance_margin_grows_without_a_jump_where_a_tier_begins() -> None:
    perp = stepped()
    asked = [perp.maintenance_of("AAAUSDT", D(notional)) for notional in (0, 999, 1000, 1500, 2000, 3000)]
    assert asked == [D(0), D("9.99"), D(10), D(35), D(60), D(260)]
    assert [tier.cumulative for tier in STEPS] == [D(0), D(40), D(340)]


def test_the_liquidation_price_is_judged_by_the_tier_that_it_is_in() -> None:
    perp = stepped()
    marks = {"AAAUSDT": D(90)}
    row = perp.position("AAAUSDT", D(90), perp.standing(lambda symbol: marks[symbol]))
    price = row.liquidation_price
    assert price is not None
    assert row.tiers == STEPS
    assert perp.carries(lambda _: price - D("0.0001"))
    assert not perp.carries(lambda _: price + D("0.0001"))
    assert price < (500 + 900) / (10 * D("1.01"))


def test_one_rate_for_every_size_is_shown_as_no_tiers() -> None:
    perp = PerpAccount(balance=D(500), maintenance_rate=D("0.01"), default_leverage=20)
    perp.trade("AAAUSDT", D(-10), D(90))
    assert perp.position("AAAUSDT", D(90), perp.standing(lambda _: D(90))).tiers == ()


@pytest.mark.parametrize(
    "steps", [[("1", "0.01")], [("0", "0.01"), ("0", "0.02")], [("0", "0.02"), ("10", "0.01")], [("0", "1.5")]]
)
def test_tiers_that_do_not_grow_from_zero_are_refused(steps: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match=r"tiers|rate"):
        BracketChange(symbol="AAAUSDT", tiers=tuple(LeverageTier(floor=D(f), rate=D(r)) for f, r in steps))
