from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.funding import FundingPayment, FundingSignal
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.decisions.adoption import PositionHistory, adoption, opening_fills
from hedgerow.strategy.decisions.verdicts import Candidate
from support.views import NOW, fill, pair_of

SIGNAL = FundingSignal(symbol="AAAUSDT", mean=0.0001, stdev=0.0, apr=0.1095, periods=10, interval_hours=8)


def candidate(spot: str = "10", short: str = "10") -> Candidate:
    return Candidate(pair=pair_of(), spot=Decimal(spot), short=Decimal(short), entry_price=Decimal(100))


def sold(quantity: str, days: float, *, number: int = 1, price: str = "100", fee: str = "0.5") -> Fill:
    at = NOW - timedelta(days=days)
    return fill(Market.PERP, Side.SELL, quantity, price=price, fee=fee, at=at, trade_id=number)


def bought_back(quantity: str, days: float, *, number: int = 2) -> Fill:
    return fill(Market.PERP, Side.BUY, quantity, at=NOW - timedelta(days=days), trade_id=number)


def bought(
    quantity: str, days: float, *, price: str = "99", fee: str = "0", asset: str = "USDT", number: int = 5
) -> Fill:
    at = NOW - timedelta(days=days)
    return fill(Market.SPOT, Side.BUY, quantity, price=price, fee=fee, asset=asset, at=at, trade_id=number)


def paid(amount: str, days: float, *, symbol: str = "AAAUSDT") -> FundingPayment:
    return FundingPayment(symbol=symbol, amount=Decimal(amount), tran_id=int(days * 10), at=NOW - timedelta(days=days))


def adopted(
    found: Candidate, spot: tuple[Fill, ...], perp: tuple[Fill, ...], payments: tuple[FundingPayment, ...] = ()
) -> HedgedPosition:
    history = PositionHistory(spot_fills=spot, perp_fills=perp, payments=payments)
    return adoption(found, history, hedge_id="h9", at=NOW, signal=SIGNAL)


# --- since when -----------------------------------------------------------------------------------------------------


def test_the_opening_is_the_trade_after_the_position_was_last_flat() -> None:
    fills = (sold("5", 9), bought_back("5", 8), sold("6", 3, number=3), sold("4", 2, number=4))
    assert opening_fills(Decimal(10), fills) == fills[2:]


def test_a_part_bought_back_belongs_to_the_present_position() -> None:
    fills = (sold("12", 3), bought_back("2", 2))
    assert opening_fills(Decimal(10), fills) == fills


def test_trades_that_do_not_reach_the_opening_are_not_enough() -> None:
    assert opening_fills(Decimal(10), (sold("6", 3),)) is None
    assert opening_fills(Decimal(10), ()) is None


@pytest.mark.parametrize("days", [8, 20])
def test_a11_a_position_older_than_a_week_keeps_its_real_age_prices_fees_and_funding(days: int) -> None:
    hedge = adopted(
        candidate(),
        (bought("10", days, price="99", fee="1"),),
        (sold("10", days, price="100"),),
        (paid("9", days + 1), paid("0.3", days - 0.1), paid("-0.1", 1), paid("7", 1, symbol="BBBUSDT")),
    )
    assert hedge.opened_at == hedge.counted_from == NOW - timedelta(days=days)
    assert hedge.history_known
    assert hedge.adopted
    assert hedge.entry_fees == Decimal("1.5")
    assert hedge.entry_notional == 990
    assert hedge.entry_price == 99
    assert (hedge.funding_received, hedge.funding_payments) == (Decimal("0.2"), 2)
    assert hedge.tally.price_pnl(Decimal(101), Decimal(101)) == Decimal(20 - 10)
    assert hedge.tally.fees == Decimal("1.5")


def test_no_payment_yet_is_a_known_history() -> None:
    hedge = adopted(candidate(), (bought("10", 1),), (sold("10", 1),))
    assert (hedge.history_known, hedge.funding_payments) == (True, 0)


def test_what_the_ledger_owns_is_exactly_what_is_adopted() -> None:
    hedge = adopted(candidate("10", "10"), (bought("10.02", 1, fee="0.01002", asset="AAA"),), (sold("10", 1),))
    assert (hedge.spot_quantity, hedge.perp_quantity) == (Decimal(10), Decimal(-10))


def test_coins_with_a_fee_in_coin_are_found_by_what_was_received() -> None:
    hedge = adopted(candidate("9.99", "9.99"), (bought("10", 1, fee="0.01", asset="AAA"),), (sold("9.99", 1),))
    assert hedge.spot_quantity == Decimal("9.99")
    assert hedge.entry_fees == Decimal("0.01") * 99 + Decimal("0.5")
    assert len(hedge.orders) == 2


def test_coins_held_before_the_short_was_opened_are_taken_in_at_its_price() -> None:
    hedge = adopted(candidate(), (bought("4", 1, price="98"), bought("50", 300)), (sold("10", 1),))
    assert hedge.spot_quantity == 10
    none = adopted(candidate(), (), (sold("10", 1),))
    assert none.entry_price == 100
    assert none.entry_notional == 1000
    assert none.history_known


def test_coins_bought_shortly_before_the_short_belong_to_it_and_older_ones_do_not() -> None:
    hour = 1 / 24
    near = adopted(candidate(), (bought("10", 1 + hour / 2, price="97"),), (sold("10", 1),))
    far = adopted(candidate(), (bought("10", 1 + hour * 2, price="97"),), (sold("10", 1),))
    assert (near.entry_price, far.entry_price) == (Decimal(97), Decimal(100))


def test_only_the_newest_purchases_that_make_up_the_quantity_count() -> None:
    spot = (
        bought("10", 0.9, price="90", number=1),
        bought("6", 0.8, price="98", number=2),
        bought("4", 0.7, price="103", number=3),
    )
    hedge = adopted(candidate(), spot, (sold("10", 1),))
    assert hedge.entry_price == 100
    assert [record.request.client_id for record in hedge.orders] == ["xs-2", "xs-3", "xp-1"]


def test_a_surplus_of_trades_stays_with_the_user_at_cost_and_takes_its_share_of_the_fees() -> None:
    hedge = adopted(candidate("6", "10"), (bought("8", 1, price="99", fee="0.8"),), (sold("10", 1, fee="0.5"),))
    assert (hedge.spot_quantity, hedge.perp_quantity) == (Decimal(6), Decimal(-6))
    assert hedge.entry_fees == Decimal("0.6") + Decimal("0.3")
    assert hedge.tally.price_pnl(Decimal(99), Decimal(100)) == 0


def test_a_trade_that_turned_a_long_into_the_short_counts_for_the_short_only() -> None:
    hedge = adopted(candidate(), (bought("10", 1),), (sold("15", 1, fee="1.5"),))
    assert hedge.perp_quantity == -10
    assert hedge.entry_fees == Decimal("1.0")


def test_a_fee_in_a_third_asset_is_estimated_by_the_commission() -> None:
    hedge = adopted(candidate(), (bought("10", 1, fee="3", asset="ASTER"),), (sold("10", 1, fee="0"),))
    assert hedge.entry_fees == Decimal("0.99")


def test_fees_of_the_adopted_trades_are_those_of_the_opening() -> None:
    hedge = adopted(candidate(), (bought("10", 0.5),), (sold("6", 1, number=1), sold("4", 0.5, number=2)))
    assert all(record.issued_at <= hedge.opened_at for record in hedge.orders)


# --- unreadable -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "history",
    [None, PositionHistory(spot_fills=(), perp_fills=(sold("3", 1),), payments=(paid("1", 1),))],
)
def test_an_unreadable_history_is_adopted_with_its_age_from_now(history: PositionHistory | None) -> None:
    hedge = adoption(candidate("10.1", "10"), history, hedge_id="h9", at=NOW, signal=None)
    assert not hedge.history_known
    assert hedge.opened_at == NOW
    assert (hedge.spot_quantity, hedge.perp_quantity) == (Decimal(10), Decimal(-10))
    assert (hedge.entry_notional, hedge.entry_fees, hedge.funding_received) == (Decimal(1000), Decimal(0), Decimal(0))
    assert (hedge.entry_rate, hedge.entry_apr) == (0.0, 0.0)
