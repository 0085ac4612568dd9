"""Books to the cent: what a bot wrote down over its lives, held line by line against what the exchange wrote down."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.books.entries import LineKind
from hedgerow.dashboard.books.matching import AuditLine, MatchStatus, audit, pending_changes
from hedgerow.dashboard.books.report import BooksReport, VenueSide, wallet_lines
from hedgerow.dashboard.books.statement import Statement, read_statement
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import FeeBooked, FlowKind, FundingReceived, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault, SubmitFault
from hedgerow.engine.notices import BooksChecked, Warned
from hedgerow.ports import AccountHistory
from hedgerow.strategy.hedge_result import ExitPrices
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

PATIENT = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=1000, fee_coverage_multiplier=1000)
)
BURNING = {"burn_asset": "FFF", "burn_price": Decimal("0.5")}
BASE = SYMBOL.removesuffix("USDT")


def lines_of(harness: BotHarness, record: AccountHistory | None = None) -> tuple[AuditLine, ...]:
    reported = harness.world.record(OPENED - timedelta(days=1)) if record is None else record
    return audit(read_statement(harness.log), harness.log, reported)


def report_of(harness: BotHarness, prices: ExitPrices | None = None) -> BooksReport:
    known = {} if prices is None else {SYMBOL: prices}
    statement, lines, account = read_statement(harness.log, known), lines_of(harness), harness.world.account()
    side = VenueSide(name="exchange", at=harness.world.now, account=account, lines=lines, prices=known)
    return BooksReport(
        statement=statement, hedges=statement.hedges, wallets=wallet_lines(statement, account, lines), venue=side
    )


def check_every_line(harness: BotHarness) -> Counter[LineKind]:
    """Check that every line is on both sides, and that the sums are the ledger's; returns how many of each kind."""
    harness.check()
    report = report_of(harness)
    assert [line for line in report.unmatched if line.standing is not MatchStatus.MATCHED] == []
    assert report.differences == {}
    check_sums(report.statement)
    return Counter(line.kind for line in lines_of(harness))


def check_sums(statement: Statement) -> None:
    """Check that hedges add up to the ledger's totals, and each hedge to its lines."""
    ended = [reported for reported in statement.hedges if reported.ended_at is not None]
    totals = statement.ledger.totals
    assert sum(reported.result.funding for reported in ended) == totals.funding
    assert sum(reported.result.basis or 0 for reported in ended) == totals.basis_pnl
    assert sum(reported.result.fees_paid for reported in ended) == totals.fees
    for reported in statement.hedges:
        assert sum(payment.amount for payment in reported.payments) == reported.result.funding
        assert sum(line.value for line in reported.fee_lines) == reported.result.fees_paid


# --- whole lives -----------------------------------------------------------------------------------------------------


def test_each_fill_fee_payment_and_transfer_is_on_both_sides_over_many_hedges_and_restarts() -> None:
    harness = BotHarness(usdt=900, perp=100)
    for _ in range(6):
        harness.run(11)
        harness.wait(5)
    harness.run(1)
    kinds = check_every_line(harness)
    assert len(harness.ledger.closed) >= 3
    assert kinds[LineKind.FUNDING] >= 10
    assert kinds[LineKind.TRANSFER] >= 2
    assert kinds[LineKind.FILL] == kinds[LineKind.FEE] > kinds[LineKind.PNL] > 0


def test_more_hedges_than_the_ledger_keeps_whole_are_all_reported() -> None:
    hourly = Listing(SYMBOL, interval_hours=1, rate="0.001")
    harness = BotHarness(ScriptedMarketData([hourly]))
    harness.run(56)
    statement = read_statement(harness.log)
    assert harness.ledger.totals.closed > len(harness.ledger.closed)
    assert len([reported for reported in statement.hedges if reported.ended_at]) == harness.ledger.totals.closed
    check_every_line(harness)


def test_forty_days_offline_leave_no_payment_out() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.run(2)
    harness.wait(40 * 24)
    waiting = report_of(harness)
    assert {line.standing for line in waiting.unmatched} == set(), "nobody missed anything: it is not booked yet"
    assert waiting.differences == {}
    harness.run(1)
    kinds = check_every_line(harness)
    assert kinds[LineKind.FUNDING] == 40 * 3
    assert harness.hedge.funding_payments == 40 * 3


def test_funding_is_booked_once_through_an_outage_of_its_rows_and_a_restart() -> None:
    gone = ReadFault(read=Read.FUNDING_PAYMENTS, after=OPENED + timedelta(hours=6), until=OPENED + timedelta(hours=30))
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(reads=(gone,)))
    harness.run(20)
    harness.run(20)
    harness.run(1)
    booked = [event.payment.tran_id for event in harness.logged(FundingReceived)]
    assert len(booked) == len(set(booked)) == check_every_line(harness)[LineKind.FUNDING]


def test_two_symbols_paid_at_one_instant_are_both_booked_and_only_ours_is_profit() -> None:
    harness = BotHarness(
        ScriptedMarketData([SYMBOL, Listing("BBBUSDT", rate="0.0001")]), coins={"BBB": Decimal(5)}, parameters=PATIENT
    )
    harness.run(2)
    harness.world.trade_by_hand(Market.PERP, "BBBUSDT", Side.SELL, Decimal(2))
    harness.wait(0.1)
    harness.run(30)
    statement = read_statement(harness.log)
    ours = {payment.at for payment in statement.hedges[0].payments}
    theirs = {payment.at for payment in statement.unattributed}
    assert len(ours & theirs) >= 3
    check_every_line(harness)


def test_a_partial_exit_leaves_each_payment_with_its_hedge() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.run(9, at={8.5: lambda desk: desk.world.deleverage(SYMBOL, Decimal("0.3"))})
    before = harness.hedge
    harness.run(20)
    assert harness.hedge.hedge_id == before.hedge_id
    assert harness.hedge.short < Decimal("4.5")
    assert check_every_line(harness)[LineKind.FUNDING] == harness.hedge.funding_payments


# --- fees ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("listed", [True, False], ids=["with a price", "without a price"])
def test_fees_burnt_in_another_coin_move_that_coin_are_booked_and_warned_of(listed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    burn = Listing("FFFUSDT", spot="0.5", rate="-0.001")
    market_data = ScriptedMarketData([SYMBOL, burn] if listed else [SYMBOL])
    stock = {"FFF": Decimal(100)}
    harness = BotHarness(market_data, coins=stock, world_options=BURNING)
    harness.world.deposit(Wallet.PERP, "FFF", Decimal(100))
    harness.run(30)
    account = harness.world.account()
    assert account.coin("FFF").total < 100
    assert account.perp_assets["FFF"] < 100
    reported = read_statement(harness.log).hedges[0]
    assert {(line.market, line.asset, line.estimated) for line in reported.fee_lines} == {
        (Market.SPOT, "FFF", False),
        (Market.PERP, "FFF", False),
    }
    assert reported.result.fees_paid > 0
    assert [warned.text for warned in harness.notices_of(Warned) if "paid in FFF" in warned.text]
    assert harness.notices_of(BooksChecked) == []
    check_every_line(harness)


def test_a_burn_that_runs_dry_goes_on_in_coin_and_every_fee_is_booked_where_it_was_paid() -> None:
    market_data = ScriptedMarketData([SYMBOL, Listing("FFFUSDT", spot="0.5", rate="-0.001")])
    harness = BotHarness(market_data, coins={"FFF": Decimal("0.2")}, world_options=BURNING)
    harness.world.deposit(Wallet.PERP, "FFF", Decimal("0.2"))
    harness.run(60)
    assets = {line.asset for reported in read_statement(harness.log).hedges for line in reported.fee_lines}
    assert {"FFF", BASE, "USDT"} <= assets
    check_every_line(harness)


def test_fees_whose_reports_do_not_come_are_estimates_and_the_lines_say_so() -> None:
    silent = ReadFault(read=Read.FILLS, after=OPENED, until=OPENED + timedelta(hours=1))
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(reads=(silent,)))
    harness.run(0.2)
    report = report_of(harness)
    assert all(line.estimated for line in report.hedges[0].fee_lines)
    assert report.agrees, "the exchange's trades are known to be ours: they are not booked yet"
    assert {line.standing for line in lines_of(harness) if line.kind is LineKind.FILL} == {MatchStatus.PENDING}
    harness.run(2)
    assert not any(line.estimated for line in read_statement(harness.log).hedges[0].fee_lines)
    check_every_line(harness)


def test_trades_that_could_not_be_read_for_hours_are_booked_within_minutes_once_they_can_be() -> None:
    ends = OPENED + timedelta(minutes=200)
    silent = ReadFault(read=Read.FILLS, after=OPENED, until=ends)
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(reads=(silent,)))
    harness.run(6)
    booked = [event.at for event in harness.logged(FeeBooked)]
    assert booked
    assert ends <= min(booked) <= max(booked) < ends + timedelta(minutes=15), "a pause of ten minutes, and a check"
    check_every_line(harness)


# --- transfers, deposits, the owner's coins --------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 15], ids=["once", "for more than an hour"])
def test_a_transfer_whose_answer_is_lost_is_booked_once_and_is_one_line_per_wallet(times: int) -> None:
    lost = SubmitFault(fault=FaultKind.SILENT_AFTER, command="transfer_funds", times=times)
    harness = BotHarness(usdt=900, perp=100, faults=FaultPlan(submits=(lost,)), parameters=PATIENT)
    harness.run(3)
    assert check_every_line(harness)[LineKind.TRANSFER] == 2


def test_a_transfer_in_flight_is_not_booked_yet() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.run(2)
    harness.world.transfer("cut-short", Decimal(5), TransferDirection.SPOT_TO_PERP, "USDT")
    lines = lines_of(harness)
    assert pending_changes(lines) == {"spot:USDT": Decimal(-5), "perp:USDT": Decimal(5)}
    assert report_of(harness).agrees


def test_deposits_withdrawals_fees_of_liquidation_rebates_and_exchanges_are_classified_and_no_profit() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.run(2)
    flows = {
        FlowKind.DEPOSIT: (Wallet.SPOT, "USDT", Decimal(100)),
        FlowKind.WITHDRAWAL: (Wallet.PERP, "USDT", Decimal(-7)),
        FlowKind.LIQUIDATION_FEE: (Wallet.PERP, "USDT", Decimal("-0.5")),
        FlowKind.REBATE: (Wallet.PERP, "USDT", Decimal("0.03")),
        FlowKind.AUTO_EXCHANGE: (Wallet.SPOT, "USDT", Decimal("-0.2")),
        FlowKind.OTHER: (Wallet.SPOT, "GIFT", Decimal(3)),
    }
    before = harness.hedge
    for kind, (wallet, asset, amount) in flows.items():
        harness.world.deposit(wallet, asset, amount, kind)
    harness.wait(0.2)
    harness.run(1)
    rows = {row.kind: (row.wallet, row.asset, row.amount) for row in read_statement(harness.log).rows}
    assert rows == flows
    assert harness.hedge.tally == before.tally
    assert harness.ledger.totals.net_profit == 0
    assert check_every_line(harness)[LineKind.ROW] == len(flows)


@pytest.mark.parametrize("own", ["3", "0.0005", "1000"])
def test_coins_of_the_owner_are_never_counted_shorted_against_or_sold(own: str) -> None:
    harness = BotHarness(coins={BASE: Decimal(own)})
    harness.run(60)
    harness.ask(CloseRequested())
    assert harness.short() == 0
    assert harness.coins() - harness.ledger.owned(BASE) == Decimal(own)
    prices = ExitPrices(spot=Decimal(100), perp=Decimal(100))
    report = report_of(harness, prices)
    assert report.equity is not None
    assert report.account_value is not None
    assert report.account_value - report.equity == Decimal(own) * 100
    check_every_line(harness)


# --- what does not agree ---------------------------------------------------------------------------------------------


def test_realised_basis_is_what_both_legs_traded_for() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(OPENED + timedelta(hours=3), 110, "109.5")
    harness = BotHarness(market_data, usdt=900, perp=900, parameters=PATIENT)
    harness.run(4)
    harness.ask(CloseRequested())
    [reported] = read_statement(harness.log).hedges
    fills = [f for f in harness.world.record(OPENED).fills if f.client_id]
    perp = sum(f.realized_pnl for f in fills)
    spot = sum(-f.side.sign * f.notional for f in fills if f.market is Market.SPOT)
    coin_fees = sum(f.fee * f.price for f in fills if f.fee_asset == BASE)
    assert reported.reason == Reason.USER.value
    assert reported.result.perp_pnl == pytest.approx(perp)
    assert reported.result.spot_pnl is not None
    assert reported.result.spot_pnl - sum(lot.cost for lot in harness.ledger.dust.values()) == spot + coin_fees
    assert reported.result.basis is not None
    assert reported.result.net_so_far == reported.result.funding + reported.result.basis - reported.result.fees_paid


def test_a_line_that_only_one_side_has_or_that_differs_is_shown() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.run(30)
    record = harness.world.record(OPENED - timedelta(days=1))
    first, second, *fills = record.fills
    paid, *payments = record.payments
    forged = AccountHistory(
        fills=(replace(first, price=first.price + 1), second, *fills[1:]),
        payments=tuple(payments),
        rows=record.rows,
    )
    shown = [line for line in lines_of(harness, forged) if not line.standing.sound]
    standings = Counter((line.kind, line.standing) for line in shown)
    assert standings[LineKind.FILL, MatchStatus.DIFFERS] == 1
    assert standings[LineKind.FILL, MatchStatus.ONLY_LOG] == 1
    assert standings[LineKind.FUNDING, MatchStatus.ONLY_LOG] == 1
    assert any("price: " in line.detail for line in shown)
    assert str(paid.tran_id) in {line.key for line in shown}


def test_an_old_row_of_the_exchange_that_the_log_never_booked_is_shown() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.run(30)
    missed = [event for event in harness.log if not isinstance(event, FundingReceived)]
    lines = audit(read_statement(missed), missed, harness.world.record(OPENED))
    kinds = {(line.kind, line.standing) for line in lines if not line.standing.sound}
    assert kinds == {(LineKind.FUNDING, MatchStatus.ONLY_VENUE)}


def test_a_log_without_books_has_no_lines() -> None:
    harness = BotHarness()
    record = harness.world.record(OPENED)
    assert audit(read_statement(()), (), record) == ()


def test_a_liquidated_short_is_booked_as_the_exchange_has_it_fee_and_all() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.run(4, at={3.01: lambda desk: desk.world.shock(SYMBOL, Decimal("2.04"))})
    rows = {row.kind for row in read_statement(harness.log).rows}
    assert rows == {FlowKind.LIQUIDATION_FEE}
    assert any(line.label for line in lines_of(harness) if line.kind is LineKind.FILL)
    check_every_line(harness)


def test_a_hedge_closed_by_hand_is_explained_by_the_owners_trades() -> None:
    def sell_out(desk: BotHarness) -> None:
        held = desk.hedge
        desk.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, held.pair.spot.floor_quantity(held.spot_quantity))
        desk.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, held.short, reduce_only=True)

    harness = BotHarness(parameters=PATIENT)
    harness.run(5, at={3.01: sell_out})
    assert harness.reasons[0] is Reason.CLOSED_EXTERNALLY
    assert {row.kind for row in read_statement(harness.log).rows} == {FlowKind.USER_TRADE}
    check_every_line(harness)


def test_a_position_of_the_owner_that_the_venue_closed_is_alarmed_and_shown_as_the_exchanges_alone() -> None:
    market_data = ScriptedMarketData([SYMBOL, Listing("BBBUSDT", rate="-0.0001")])
    harness = BotHarness(market_data, perp=600, parameters=PATIENT)
    harness.run(2)
    harness.world.trade_by_hand(Market.PERP, "BBBUSDT", Side.BUY, Decimal(2))
    harness.run(1)
    harness.world.deleverage("BBBUSDT", Decimal(2))
    harness.wait(0.1)
    harness.run(1)
    assert harness.notices_of(BooksChecked)
    report = report_of(harness)
    shown = {(line.kind, line.symbol, line.standing) for line in report.unmatched}
    assert {symbol for _, symbol, _ in shown} == {"BBBUSDT"}
    assert {standing for _, _, standing in shown} == {MatchStatus.ONLY_VENUE}
    assert set(report.differences) == {"perp:USDT"}
