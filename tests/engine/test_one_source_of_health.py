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
from hedgerow.domain.instrument import BasisPair, TradingStatus
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.emulator.inprocess.readings import FalseMarketView
from hedgerow.strategy.evaluation.margin_evidence import ALONE_SECONDS
from hedgerow.strategy.observation import Close, Hold, Reduce
from hedgerow.strategy.parameters import CapitalManagement, StrategyParameters
from support.bot_harness import OPENED, Farm
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


def holding(faults: FaultPlan | None = None) -> Farm:
    half = StrategyParameters(capital_management=CapitalManagement(max_capital_usd=Decimal(500)))
    farm = Farm(parameters=half, poll_seconds=30, faults=faults)
    farm.run(0.5)
    farm.check_whole()
    return farm


@pytest.mark.parametrize("change", [leveraged, near, nearing, topped])
def test_figures_that_one_endpoint_alone_shows_neither_close_nor_reduce_nor_move_margin(change: Change) -> None:
    farm = holding()
    sent = len(farm.venue.sent)
    farm.venue.rewritten = shown(change)
    farm.run(0.5)
    assert len(farm.venue.sent) == sent
    assert farm.decisions(Close) == []
    (halt,) = farm.logged(Halted)
    assert halt.reason is HaltReason.ACCOUNT_IN_DOUBT
    assert SYMBOL in halt.detail
    assert "positionRisk shows" in halt.detail
    farm.venue.rewritten = None
    farm.run(0.1)
    assert len(farm.logged(Lifted)) == 1
    farm.check_whole()


def test_leverage_is_not_believed_while_the_second_endpoint_cannot_be_read() -> None:
    blind = ReadFault(read=Read.POSITION, after=OPENED, until=OPENED + timedelta(hours=5))
    farm = holding(FaultPlan(reads=(blind,)))
    farm.venue.rewritten = shown(leveraged)
    farm.run(0.5)
    assert farm.decisions(Close) == []
    assert "positionRisk cannot be read" in farm.logged(Halted)[0].detail
    farm.check_whole()


def test_a_near_liquidation_is_acted_on_within_two_minutes_although_the_second_endpoint_cannot_be_read() -> None:
    blind = ReadFault(read=Read.POSITION, after=OPENED, until=OPENED + timedelta(hours=5))
    farm = holding(FaultPlan(reads=(blind,)))
    farm.world.transfer_by_hand(Decimal(240), TransferDirection.PERP_TO_SPOT)
    farm.world.shock(SYMBOL, Decimal("1.85"))
    began = farm.world.now
    farm.run(0.1)
    assert farm.reasons == [Reason.HEALTH]
    seconds = (farm.ledger.closed[-1].closed_at - began).total_seconds()
    assert ALONE_SECONDS <= seconds < 2 * ALONE_SECONDS


def test_leverage_that_both_endpoints_show_closes_within_seconds() -> None:
    farm = holding()
    farm.run(0.1, at={0.05: lambda f: f.world.set_leverage(SYMBOL, 3)})
    assert farm.reasons == [Reason.HEALTH]
    assert "leverage is 3x" in farm.decisions(Close)[0].detail
    assert [halt for halt in farm.logged(Halted) if halt.reason is HaltReason.ACCOUNT_IN_DOUBT] == []


def test_the_less_near_of_two_liquidations_decides_what_is_done() -> None:
    farm = holding()
    farm.world.transfer_by_hand(Decimal(240), TransferDirection.PERP_TO_SPOT)
    farm.world.shock(SYMBOL, Decimal("1.7"))
    row = farm.world.account().positions[SYMBOL]
    assert row.liquidation_price is not None
    distance = row.liquidation_price / row.mark_price - 1
    assert Decimal("0.15") < distance < Decimal("0.25")
    closer = row.mark_price * (1 + distance - Decimal("0.049"))
    farm.venue.rewritten = shown(lambda each: replace(each, liquidation_price=closer))
    farm.run(0.02)
    assert farm.decisions(Close) == []
    assert farm.decisions(Reduce) or any(isinstance(each, TransferFunds) for each in farm.venue.sent)


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
    farm = holding()
    orders = len(farm.venue.orders)
    farm.venue.shown = lambda view: ShownAs(view, status)
    farm.run(2.5)
    assert len(farm.venue.orders) == orders
    assert farm.decisions(Close) == []
    assert any("shows it trading when read again" in hold.detail for hold in farm.decisions(Hold))
    farm.check_whole()


def test_a_trading_status_is_not_believed_while_the_listing_cannot_be_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    farm = holding()
    farm.world.set_status(SYMBOL, TradingStatus.SETTLING)

    async def unreadable(_symbol: str, *, fresh: bool = False) -> BasisPair:
        raise VenueError(f"down, fresh={fresh}")

    monkeypatch.setattr(farm.venue, "pair", unreadable)
    farm.run(0.1)
    assert farm.decisions(Close) == []
    assert any("cannot be read again" in hold.detail for hold in farm.decisions(Hold))
    monkeypatch.undo()
    farm.run(0.1)
    assert farm.reasons == [Reason.HEALTH]
    farm.check_flat()
