"""What is known once a hedge was closed: its money is free in both wallets, and the others stay as they are."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.account import AccountView, PerpWallet
from hedgerow.strategy.evaluation.switching import after_closing, opportunity_of
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.views import NOW, account, hedge, listing, market_of, pair_of, several_of, short_of

HELD = hedge("10")
OTHER = hedge("2", hedge_id="h2", pair=pair_of("BBBUSDT"))
ROW = replace(short_of(quantity="10"), mark_price=Decimal(120), unrealized_pnl=Decimal(-200))


def seen(view: AccountView | None) -> Observation:
    return Observation(at=NOW, market=None, account=view)


def wallet(balance: int, lost: int, free: int) -> PerpWallet:
    return PerpWallet(
        balance=Decimal(balance), unrealized_pnl=Decimal(-lost), available=Decimal(free), transferable=Decimal(free)
    )


def test_the_money_of_the_only_hedge_is_free_in_both_wallets() -> None:
    view = replace(account(ROW, usdt="50"), perp=wallet(1300, 200, 0))
    after, ledger = after_closing(HELD, seen(view), several_of(HELD))
    assert after.account is not None
    fees = HELD.pair.spot.fees.taker, HELD.pair.perp.fees.taker
    assert after.account.spot_usdt == 50 + 1200 * (1 - fees[0])
    assert after.account.perp.transferable == after.account.perp.margin_balance == 1100 - 1200 * fees[1]
    assert not after.account.positions
    assert not ledger.hedges


def test_the_margin_of_the_others_stays() -> None:
    rows = ROW, short_of("BBBUSDT", "2")
    view = replace(account(*rows, usdt="50"), perp=wallet(2000, 200, 400))
    after, ledger = after_closing(HELD, seen(view), several_of(HELD, OTHER))
    assert after.account is not None
    assert set(after.account.positions) == {"BBBUSDT"}
    assert after.account.perp.unrealized_pnl == 0
    assert after.account.perp.transferable == 1600
    assert list(ledger.hedges.values()) == [OTHER]


def test_no_more_is_free_than_there_is() -> None:
    rows = ROW, short_of("BBBUSDT", "2")
    view = replace(account(*rows, usdt="50"), perp=wallet(1300, 200, 400))
    after, _ = after_closing(HELD, seen(view), several_of(HELD, OTHER))
    assert after.account is not None
    assert after.account.perp.transferable == after.account.perp.balance == 1100 - 1200 * HELD.pair.perp.fees.taker


def test_what_is_not_shown_frees_nothing() -> None:
    for view in (None, account(usdt="50"), account(short_of(quantity="-3"), usdt="50")):
        after, ledger = after_closing(HELD, seen(view), several_of(HELD))
        assert after.account == view
        assert not ledger.hedges


def test_a_pair_is_an_opportunity_only_where_market_and_ranking_show_it() -> None:
    market = market_of(listing(pair=pair_of("AAAUSDT"), rate="0.001"))
    ranking = VolumeFarming(StrategyParameters(funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1))).rank(
        market
    )
    found = opportunity_of("AAAUSDT", ranking, market)
    assert found is not None
    assert (found.symbol, found.targeted) == ("AAAUSDT", True)
    assert opportunity_of("XYZUSDT", ranking, market) is None
