"""Leverage, a near liquidation or a trading status that one reply alone shows: nothing is closed because of it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.commands import TransferDirection, TransferFunds
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import Halted, HaltReason, Lifted
from hedgerow.domain.instrument import BasisPair, Market, TradingStatus
from hedgerow.domain.market import MarketView, Quote
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.emulator.inprocess.readings import FalseMarketView
from hedgerow.engine.execution.order_resolution import STOPPED_SECONDS
from hedgerow.strategy.evaluation.margin_evidence import ALONE_SECONDS
from hedgerow.strategy.observation import Close, Hold, Reduce, Trim
from hedgerow.strategy.parameters import CapitalManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL

Change = Callable[[PerpPosition], PerpPosition]


def leveraged(row: PerpPosition) -> PerpPosition:
    return replace(row, leverage=3)


def near(row: PerpPosition) -> PerpPosition:
    return replace(row, liquidation_price=row.mark_price * Decimal("1.05"))


def nearing(row: PerpPosition) -> PerpPosition:
    return replace(row, liquidation_price=row.mark_price * Decimal("1.18"))


def topped(row: PerpPosition) -> PerpPosition:
    return replace(row, liquidation_price=row.mark_price * Decimal("1.23"))


def shown(change: Change) -> Callable[[AccountView], AccountView]:
    """Return a reply of the account endpoint in which the held row is changed."""

    def rewritten(view: AccountView) -> AccountView:
        row = view.positions.get(SYMBOL)
        return replace(view, positions={**view.positions, SYMBOL: change(row)}) if row else view

    return rewritten


def holding(faults: FaultPlan | None = None) -> BotHarness:
    half = StrategyParameters(capital_management=CapitalManagement(max_capital_usd=Decimal(500)))
    harness = BotHarness(parameters=half, poll_seconds=30, faults=faults)
    harness.run(0.5)
    harness.check_whole()
    return harness


@pytest.mark.parametrize("change", [leveraged, near, nearing, topped])
def test_figures_that_one_endpoint_alone_shows_neither_close_nor_reduce_nor_move_margin(change: Change) -> None:
    harness = holding()
    sent = len(harness.venue.sent)
    harness.venue.rewritten = shown(change)
    harness.run(0.5)
    assert len(harness.venue.sent) == sent
    assert harness.decisions(Close) == []
    (halt,) = harness.logged(Halted)
    assert halt.reason is HaltReason.ACCOUNT_IN_DOUBT
    assert SYMBOL in halt.detail
    assert "positionRisk shows" in halt.detail
    harness.venue.rewritten = None
    harness.run(0.1)
    assert len(harness.logged(Lifted)) == 1
    harness.check_whole()


@pytest.mark.parametrize("change", [leveraged, near])
def test_the_row_of_another_symbol_closes_nothing(change: Change) -> None:
    """Where the quantity of a row is contradicted, the rest of it is held against the second endpoint as well."""
    harness = holding()
    sent = len(harness.venue.sent)
    harness.venue.rewritten = shown(lambda row: replace(change(row), quantity=row.quantity / 100))
    harness.run(0.5)
    assert len(harness.venue.sent) == sent
    assert harness.decisions(Close) == []
    assert "no trade of the account closes it" in harness.logged(Halted)[0].detail
    harness.venue.rewritten = None
    harness.run(0.1)
    assert len(harness.logged(Lifted)) == 1
    harness.check_whole()


def test_leverage_is_not_believed_while_the_second_endpoint_cannot_be_read() -> None:
    blind = ReadFault(read=Read.POSITION, after=OPENED, until=OPENED + timedelta(hours=5))
    harness = holding(FaultPlan(reads=(blind,)))
    harness.venue.rewritten = shown(leveraged)
    harness.run(0.5)
    assert harness.decisions(Close) == []
    assert "positionRisk cannot be read" in harness.logged(Halted)[0].detail
    harness.check_whole()


def test_a_near_liquidation_is_acted_on_within_two_minutes_although_the_second_endpoint_cannot_be_read() -> None:
    blind = ReadFault(read=Read.POSITION, after=OPENED, until=OPENED + timedelta(hours=5))
    harness = holding(FaultPlan(reads=(blind,)))
    harness.world.transfer_by_hand(Decimal(240), TransferDirection.PERP_TO_SPOT)
    harness.world.shock(SYMBOL, Decimal("1.85"))
    began = harness.world.now
    harness.run(0.1)
    assert harness.reasons == [Reason.HEALTH]
    seconds = (harness.ledger.closed[-1].closed_at - began).total_seconds()
    assert ALONE_SECONDS <= seconds < 2 * ALONE_SECONDS


def test_leverage_that_both_endpoints_show_closes_within_seconds() -> None:
    harness = holding()
    harness.run(0.1, at={0.05: lambda f: f.world.set_leverage(SYMBOL, 3)})
    assert harness.reasons == [Reason.HEALTH]
    assert "leverage is 3x" in harness.decisions(Close)[0].detail
    assert [halt for halt in harness.logged(Halted) if halt.reason is HaltReason.ACCOUNT_IN_DOUBT] == []


def test_the_less_near_of_two_liquidations_decides_what_is_done() -> None:
    harness = holding()
    harness.world.transfer_by_hand(Decimal(240), TransferDirection.PERP_TO_SPOT)
    harness.world.shock(SYMBOL, Decimal("1.7"))
    row = harness.world.account().positions[SYMBOL]
    assert row.liquidation_price is not None
    distance = row.liquidation_price / row.mark_price - 1
    assert Decimal("0.15") < distance < Decimal("0.25")
    closer = row.mark_price * (1 + distance - Decimal("0.049"))
    harness.venue.rewritten = shown(lambda each: replace(each, liquidation_price=closer))
    harness.run(0.02)
    assert harness.decisions(Close) == []
    assert harness.decisions(Reduce) or any(isinstance(each, TransferFunds) for each in harness.venue.sent)


# --- the listing -----------------------------------------------------------------------------------------------------


class ShownAs(FalseMarketView):
    """A market whose listing shows one pair in another state."""

    def __init__(self, true: MarketView, status: TradingStatus) -> None:
        super().__init__(true)
        self._status = status

    def pair(self, symbol: str) -> BasisPair | None:
        pair = super().pair(symbol)
        return replace(pair, perp=replace(pair.perp, status=self._status)) if pair else None


@pytest.mark.parametrize("status", [TradingStatus.SETTLING, TradingStatus.CLOSED, TradingStatus.PENDING])
def test_a_trading_status_that_a_fresh_listing_does_not_show_closes_nothing(status: TradingStatus) -> None:
    harness = holding()
    orders = len(harness.venue.orders)
    harness.venue.shown = lambda view: ShownAs(view, status)
    harness.run(2.5)
    assert len(harness.venue.orders) == orders
    assert harness.decisions(Close) == []
    assert any("shows it trading when read again" in hold.detail for hold in harness.decisions(Hold))
    harness.check_whole()


def test_a_trading_status_is_not_believed_while_the_listing_cannot_be_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = holding()
    harness.world.set_status(SYMBOL, TradingStatus.SETTLING)

    async def unreadable(_symbol: str, *, fresh: bool = False) -> BasisPair:
        raise VenueError(f"down, fresh={fresh}")

    monkeypatch.setattr(harness.venue, "pair", unreadable)
    harness.run(0.1)
    assert harness.decisions(Close) == []
    assert any("cannot be read again" in hold.detail for hold in harness.decisions(Hold))
    monkeypatch.undo()
    harness.run(0.1)
    assert harness.reasons == [Reason.HEALTH]
    harness.check_flat()


def said_to_be(harness: BotHarness, market: Market, status: TradingStatus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every reading of the listing show one market of the pair in another state."""
    read = harness.venue.pair

    def false(pair: BasisPair) -> BasisPair:
        return replace(pair, **{market.value: replace(pair.instrument(market), status=status)})

    async def pair(symbol: str, *, fresh: bool = False) -> BasisPair:
        return false(await read(symbol, fresh=fresh))

    class Shown(FalseMarketView):
        def pair(self, symbol: str) -> BasisPair | None:
            found = super().pair(symbol)
            return false(found) if found else None

    monkeypatch.setattr(harness.venue, "pair", pair)
    harness.venue.shown = Shown


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("status", [TradingStatus.SETTLING, TradingStatus.CLOSED, TradingStatus.PENDING])
def test_a_market_that_is_quoted_is_not_believed_to_have_stopped_for_two_minutes(
    market: Market, status: TradingStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = holding()
    orders = len(harness.venue.orders)
    with monkeypatch.context() as false:
        said_to_be(harness, market, status, false)
        checks = len(harness.decisions(Hold))
        harness.run(STOPPED_SECONDS / 3600 - 0.002)
        harness.venue.shown = None
    doubts = [hold.detail for hold in harness.decisions(Hold)[checks:]]
    assert len(doubts) > 1, "it is read again before the next check would be due"
    assert all("this is believed after 120 s" in detail for detail in doubts)
    harness.run(1)
    said_to_be(harness, market, status, monkeypatch)
    harness.run(STOPPED_SECONDS / 3600 - 0.002)
    assert len(harness.venue.orders) == orders, "what was said an hour ago does not count"
    harness.check_whole()


@pytest.mark.parametrize("market", list(Market))
def test_a_hedge_is_closed_once_one_of_its_markets_was_said_to_have_stopped_for_two_minutes(market: Market) -> None:
    harness = holding()
    harness.world.set_status(SYMBOL, TradingStatus.SETTLING, (market,))
    harness.run((300 + STOPPED_SECONDS + 60) / 3600)
    assert harness.reasons == [Reason.HEALTH]
    harness.check_flat()


@pytest.mark.parametrize("market", list(Market))
def test_a_market_that_is_said_to_have_stopped_and_has_no_book_is_believed_at_once(market: Market) -> None:
    harness = holding()
    harness.world.set_status(SYMBOL, TradingStatus.SETTLING, (market,))

    class Bookless(FalseMarketView):
        def quote(self, market: Market, symbol: str) -> Quote | None:
            found = super().quote(market, symbol)
            return replace(found, ask=None) if found and market is stopped else found

    stopped, harness.venue.shown = market, Bookless
    harness.run(0.1)
    assert harness.reasons == [Reason.HEALTH]


def test_legs_are_matched_again_while_it_is_not_proven_that_their_market_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = holding()
    said_to_be(harness, Market.PERP, TradingStatus.SETTLING, monkeypatch)
    harness.world.deleverage(SYMBOL, harness.short() * Decimal("0.05"))
    harness.run(0.02)
    assert harness.decisions(Trim)
    assert harness.decisions(Close) == []
    assert harness.ledger.execution is None
    harness.check_whole()
