"""What the guide's own bot did to its users' money, reproduced; each test fails for a bot that behaves like it."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.app.state_file import StateFile
from hedgerow.config import decode_config
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import (
    ExecutionStarted,
    ExternalFlow,
    FlowKind,
    FundingReceived,
    HaltReason,
    HedgeAborted,
    HedgeAdopted,
    HedgeClosed,
    HedgeOpened,
    HedgeRolled,
    TargetDecided,
    Wallet,
)
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Side
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.domain.position import Reason
from hedgerow.domain.requests import CloseRequested, ResumeRequested
from hedgerow.engine.moments import EquityRead, Evaluated
from hedgerow.store import guide_state
from hedgerow.store.sqlite import SqliteStore
from support.bots import OPENED, Farm
from support.defects import PERP, SPOT, assert_sound, by_hand, refused, settings, two_pairs
from support.worlds import START, SYMBOL, Listing, ScriptedTape


def test_a1_an_opening_whose_short_is_refused_is_undone_and_not_forgotten() -> None:
    """Did: booked a full hedge, called it closed later, and opened a second coin over the naked one."""
    farm = Farm(two_pairs(), parameters=settings(), faults=refused(PERP, symbol=SYMBOL), latency_seconds=0.05)
    farm.run(1)
    assert_sound(farm)
    assert [end.reason for end in farm.logged(HedgeAborted)][:1] == [Reason.UNWOUND]
    assert farm.coins() < Decimal("0.06"), "less than an order may be"
    assert farm.coins() == farm.ledger.owned("AAA")
    farm.run(5)
    assert {hedge.pair.symbol for hedge in [farm.hedge]} == {"BBBUSDT"}
    assert farm.coins() == farm.ledger.owned("AAA")


def test_a2_a_closing_whose_short_is_refused_is_not_booked_before_it_is_done() -> None:
    """Did: sold the coins, booked the profit, cleared its state, and left the short alone with nobody watching."""
    farm = Farm(parameters=settings(), faults=refused(PERP, times=12, reduce_only=True), latency_seconds=0.05)
    farm.run(0.5)
    farm.parameters = settings(funding_rate_strategy={"exit_funding_apr": 1000})
    farm.run(0.05)
    job = farm.ledger.execution
    assert job is not None
    assert job.state is ExecutionState.NAKED
    assert not farm.logged(HedgeClosed)
    assert farm.ledger.hedge is not None
    farm.run(2)
    assert_sound(farm)
    assert len(farm.logged(HedgeClosed)) == 1
    farm.check_flat()


def test_a2_a_closing_whose_short_the_exchange_settled_meanwhile_sells_the_coins() -> None:
    farm = Farm(parameters=settings(), faults=refused(PERP, times=10_000, reduce_only=True), latency_seconds=0.05)
    farm.run(0.5)
    farm.parameters = settings(funding_rate_strategy={"exit_funding_apr": 1000})
    farm.run(0.2, at={0.1: lambda bot: bot.world.deleverage(SYMBOL, bot.short())})
    assert_sound(farm)
    assert len(farm.logged(HedgeClosed)) >= 1
    assert farm.coins() < Decimal("0.06"), "less than an order may be"


def test_a3_a_restart_on_a_broken_hedge_deals_with_what_is_left() -> None:
    """Did: saw legs that differ by more than 2 %, concluded "closed externally", and wiped its state."""
    farm = Farm(parameters=settings())
    farm.run(0.5)
    farm.world.trade_by_hand(SPOT, SYMBOL, Side.SELL, farm.hedge.pair.spot.floor_quantity(farm.hedge.spot_quantity))
    broken = farm.hedge.hedge_id
    farm.run(0.05)
    assert_sound(farm)
    assert [(end.hedge_id, end.reason) for end in farm.logged(HedgeClosed)] == [(broken, Reason.LEG_GONE)]
    farm.check_flat()
    assert farm.ledger.halt is not None
    assert farm.ledger.halt.reason is HaltReason.LEG_GONE
    farm.ask(ResumeRequested())
    farm.run(1.1)
    farm.check_whole()
    assert farm.hedge.hedge_id != broken


@pytest.mark.parametrize(("percent", "hours"), [(4, 24), (8, 12), (12, 9)])
def test_a4_a_rising_price_is_answered_before_the_short_is_liquidated(percent: int, hours: int) -> None:
    """Did: at 1x its health check failed from +50 % on and skipped the stop: frozen until liquidated at +99 %."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006")])
    price = Decimal(100)
    for hour in range(1, hours):
        price = (price * (100 + percent) / 100).quantize(Decimal("0.01"))
        tape.set_prices(OPENED + timedelta(hours=hour), price)
    farm = Farm(tape, parameters=settings())
    farm.run(hours)
    assert_sound(farm)
    assert FlowKind.LIQUIDATION_FEE not in {flow.kind for flow in farm.logged(ExternalFlow)}
    jobs = [event.execution for event in farm.logged(ExecutionStarted)]
    answers = [job for job in jobs if job.kind in {ExecutionKind.REDUCE, ExecutionKind.CLOSE}]
    assert answers, "both legs are reduced, or closed"
    assert {job.reason for job in answers} <= {Reason.LIQUIDATION_NEAR, Reason.HEALTH}
    position = farm.world.account().positions.get(SYMBOL)
    if position is not None and position.quantity:
        assert position.liquidation_price is not None
        assert position.liquidation_price / position.mark_price - 1 > Decimal("0.1")


def test_a4_the_stop_works_at_one_times_leverage() -> None:
    """Did: as above; its stop at -70 % lay beyond the point where it stopped looking."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006")])
    tape.set_prices(OPENED + timedelta(hours=2), 112)
    farm = Farm(tape, parameters=settings(risk_management={"stop_on": "perp_leg", "emergency_stop_loss_pct": -10}))
    farm.run(2.2)
    assert_sound(farm)
    assert farm.reasons == [Reason.EMERGENCY_STOP]


def test_a5_coins_that_the_user_owned_are_neither_hedged_nor_sold() -> None:
    """Did: shorted $4,000 against the user's own coins where $130 were meant, and sold all of them at the close."""
    own = Decimal(40)
    farm = Farm(usdt=65, perp=65, coins={"AAA": own}, parameters=settings(capital_management={"max_capital_usd": 130}))
    farm.run(0.5)
    farm.check_whole()
    assert farm.hedge.short * 100 < 65
    assert farm.ask(CloseRequested()).done
    assert_sound(farm)
    assert farm.coins() - own == farm.ledger.owned("AAA") < Decimal("0.06")


def test_a6_the_stop_is_measured_on_the_entry_also_after_a_restart() -> None:
    """Did: divided by the present value after a restart, which put its stop beyond the liquidation."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006")])
    tape.set_prices(OPENED + timedelta(hours=1), 130)
    farm = Farm(tape, parameters=settings())
    farm.run(0.5)
    entry = farm.hedge.entry_notional
    for _ in range(3):
        farm.run(0.5)
        assert farm.hedge.entry_notional == entry
    assert {seen.evaluation.entry_notional for seen in farm.heard(Evaluated)} == {entry}
    newest = farm.heard(Evaluated)[-1].evaluation
    assert newest.unrealized_pnl is not None
    assert newest.pnl_fraction == pytest.approx(float(newest.unrealized_pnl / entry))


def test_a8_an_emergency_exit_sells_what_was_received_not_what_was_ordered() -> None:
    """Did: sold the ordered quantity; the fee taken in coin made the venue refuse, and the coins stayed naked."""
    farm = Farm(parameters=settings())
    farm.run(0.5)
    bought = sum(r.filled_quantity for r in farm.hedge.orders if r.request.market is SPOT)
    assert farm.coins() < bought
    assert farm.ask(CloseRequested()).done
    assert_sound(farm)
    farm.check_flat()
    assert farm.coins() < Decimal("0.06")


@pytest.mark.parametrize("days", [8, 20])
def test_a11_i_a_position_older_than_a_week_is_adopted_and_no_second_one_opened(days: int) -> None:
    """Did: asked for trades without a time, got seven days of them, and opened a second position beside it."""
    tape = two_pairs()
    world = by_hand(tape, spot="20.01", short="20")
    opened = world.now
    world.advance(START + timedelta(days=days))
    farm = Farm(tape, world=world, parameters=settings())
    farm.run(1)
    assert len(farm.logged(HedgeAdopted)) == 1
    assert not farm.logged(HedgeOpened)
    assert farm.hedge.opened_at == opened
    assert farm.hedge.funding_payments == days * 3
    assert_sound(farm)


def test_a11_ii_funding_is_what_was_paid_however_long_it_lasts() -> None:
    """Did: booked +$4.16 of estimated funding while $61.60 were really paid, and closed as "fees covered"."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006", interval_hours=4)])
    tape.set_rate(START + timedelta(hours=8), "-0.001")
    farm = Farm(tape, parameters=settings(funding_rate_strategy={"exit_funding_apr": -10000}))
    farm.run(24 * 9)
    assert_sound(farm)
    real = sum(payment.amount for payment in farm.world.funding_payments(START))
    assert real < -20
    assert farm.hedge.funding_received == real
    assert farm.reasons == []


def test_b1_a_covered_position_that_is_still_the_best_is_kept_without_orders() -> None:
    """Did: closed ASTER because its fees were covered, and reopened ASTER five seconds later: four fees for nothing."""
    parameters = settings(position_management={"fee_coverage_multiplier": 0.01, "same_pair": "roll"})
    farm = Farm(two_pairs(), parameters=parameters)
    farm.run(0.5)
    orders = len(farm.venue.orders)
    farm.run(10)
    assert_sound(farm)
    assert farm.logged(HedgeRolled)
    assert len(farm.venue.orders) == orders


def test_b3_a_pair_whose_funding_turned_negative_is_left() -> None:
    """Did: held on at -0.3 % per 4 h for a hundred hours; the APR it compared was frozen at entry."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006", interval_hours=4)])
    tape.set_rate(START + timedelta(hours=8), "-0.003")
    farm = Farm(tape, parameters=settings())
    farm.run(12)
    assert_sound(farm)
    assert farm.reasons == [Reason.NEGATIVE_FUNDING]
    assert sum(1 for event in farm.logged(FundingReceived) if event.payment.amount < 0) == 1


def test_b6_the_pair_that_was_decided_for_is_the_pair_that_is_opened() -> None:
    """Did: closed ASTER to rotate to BTC, scanned anew, and opened ASTER again."""
    tape = two_pairs()
    change = OPENED + timedelta(hours=5)
    tape.set_predicted(START, "0.0003")
    tape.set_predicted(change, "0.0020", symbol="BBBUSDT")
    tape.set_predicted(change + timedelta(seconds=1), "0.0090")
    tape.set_predicted(START, "0.0002", symbol="BBBUSDT")
    parameters = settings(funding_rate_strategy={"use_funding_ma": False}, execution={"settlement_guard_seconds": 0})
    farm = Farm(tape, parameters=parameters, latency_seconds=0.1)
    farm.run(5.08)
    assert_sound(farm)
    assert [event.symbol for event in farm.logged(TargetDecided)] == ["BBBUSDT"]
    assert farm.reasons == [Reason.BETTER_PAIR]
    assert farm.hedge.symbol == "BBBUSDT"


def test_b7_each_pair_is_annualised_with_its_own_interval_also_when_it_changes() -> None:
    """Did: took three payments a day for an interval it could not read, and kept that for its whole life."""
    listings = [
        Listing("AAAUSDT", rate="0.0002", interval_hours=8),
        Listing("BBBUSDT", rate="0.0001", interval_hours=1),
    ]
    tape = ScriptedTape(listings)
    tape.set_interval(START + timedelta(hours=8), 4, symbol="BBBUSDT")
    farm = Farm(tape, parameters=settings())
    farm.run(0.5)
    assert farm.hedge.symbol == "BBBUSDT", "0.01 % an hour is four times 0.02 % per eight hours"
    assert farm.hedge.entry_apr == pytest.approx(0.0001 * 8760)
    farm.run(14)
    newest = farm.heard(Evaluated)[-1].evaluation
    assert newest.signal is not None
    assert newest.signal.apr == pytest.approx(0.0001 * 8760 / 4)
    assert newest.funding_periods == pytest.approx(newest.age_hours / 4)
    assert_sound(farm)


def test_b8_a_pair_whose_rate_or_book_cannot_be_read_is_refused() -> None:
    """Did: took a missing rate for zero and a failed spread check for a pass, and opened."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0006")])
    tape.set_predicted(START, None)
    tape.set_missing_sides(START, {SPOT: Side.SELL}, symbol="BBBUSDT")
    farm = Farm(tape, parameters=settings())
    farm.run(1)
    assert_sound(farm)
    assert farm.venue.orders == []


@pytest.mark.parametrize("quantity", ["0.29", "0.57", "1.13", "4.35"])
def test_c1_quantities_are_cut_on_the_grid_and_not_by_floats(quantity: str) -> None:
    """Did: sent 0.28 for 0.29, left 0.01 short on the venue, and cleared its state."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006")])
    world = by_hand(tape, spot=str(Decimal(quantity) + Decimal("0.002")), short=quantity)
    farm = Farm(tape, world=world, parameters=settings())
    farm.run(0.05)
    assert farm.hedge.short == Decimal(quantity)
    assert farm.ask(CloseRequested()).done
    assert_sound(farm)
    assert farm.short() == 0


def test_c3_a_torn_state_file_costs_neither_position_nor_profit(tmp_path: Path) -> None:
    """Did: met half a file after a power cut, began anew, and wrote the emptiness over it."""
    state, log = tmp_path / "volume_farming_state.json", tmp_path / "hedgerow.db"
    farm = Farm(
        parameters=settings(position_management={"max_position_age_hours": 9}), open_store=lambda: SqliteStore(log)
    )
    farm.run(12, listeners=[StateFile(state)])
    hedge, earned, whole = farm.hedge, farm.ledger.total_profit_loss, state.read_bytes()
    assert earned
    state.write_bytes(whole[: len(whole) // 2])
    found = guide_state.read(state, at=farm.clock.now())
    assert isinstance(found, guide_state.CorruptState)
    assert found.set_aside is not None
    assert found.set_aside.read_bytes() == whole[: len(whole) // 2]
    farm.run(0.5, listeners=[StateFile(state)])
    assert (farm.hedge.hedge_id, farm.hedge.opened_at) == (hedge.hedge_id, hedge.opened_at)
    rebuilt = guide_state.read(state, at=farm.clock.now())
    assert isinstance(rebuilt, guide_state.GuideState)
    assert float(rebuilt.total_profit_loss) == pytest.approx(float(earned))
    assert_sound(farm)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b'{"funding_rate_strategy": {"min_funding_apr": 60}', "config.json"),
        (b'{"position_management": {"fee_coverage_multiplier": 0}}', "fee_coverage_multiplier"),
        (b'{"position_management": {"loop_interval_seconds": "fast"}}', "loop_interval_seconds"),
        (b'{"risk_management": {"emergency_stop_loss_pct": 10}}', "emergency_stop_loss_pct"),
        (b'{"leverage_settings": {"leverage": 3}}', "leverage"),
        (b'{"position_management": {"max_age_hours": 5}}', "max_age_hours"),
    ],
)
def test_c4_a_configuration_that_cannot_be_followed_stops_the_bot(content: bytes, named: str) -> None:
    """Did: traded on defaults (15 % for the user's 60 %), divided by zero in every check, ignored the stop's key."""
    with pytest.raises(ConfigError, match=named) as error:
        decode_config(content, name="config.json")
    assert "\n" not in str(error.value)


def test_c4_the_guides_stop_is_obeyed() -> None:
    """Did: as above."""
    assert settings(risk_management={"emergency_stop_loss_pct": -25}).risk_management.emergency_stop_loss == -0.25


def test_c6_equity_counts_what_is_locked_and_the_books_every_coin() -> None:
    """Did: showed $1,000 of $1,600: locked balances and other stable coins dropped out; any deposit was a profit."""
    farm = Farm(usdt=700, perp=500, coins={"USDF": Decimal(300), "USDC": Decimal(100)}, parameters=settings())
    resting = OrderRequest(
        client_id="mine",
        market=SPOT,
        symbol=SYMBOL,
        side=Side.BUY,
        quantity=Decimal(4),
        price=Decimal(50),
        time_in_force=TimeInForce.GTX,
    )
    farm.world.place(resting)
    farm.run(0.05)
    assert farm.heard(EquityRead)[0].equity == 1200
    books = farm.ledger.books
    assert [books.line(Wallet.SPOT, asset).balance for asset in ("USDT", "USDF", "USDC")] == [700, 300, 100]
    farm.wait(0.1)
    farm.world.deposit(Wallet.SPOT, "USDT", Decimal(250))
    farm.run(0.2)
    assert farm.ledger.books.line(Wallet.SPOT, "USDT").external == 250
    assert farm.ledger.total_profit_loss == 0
    assert_sound(farm)
