"""What a running bot sees is written down after every check and trade, and what it cannot see is not made up."""

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hedgerow.app.outlook_file import OutlookFile, read_outlook
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import HedgeClosed
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleEnded, NothingRead, Notice, Warned
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

POLICY = VolumeFarming(StrategyParameters())


class Writer:
    """Keeps every outlook that would be written."""

    def __init__(self, harness: BotHarness, policy: VolumeFarming = POLICY) -> None:
        self._harness = harness
        self._builder = OutlookBuilder(policy)
        self.written: list[Outlook] = []

    def on_notice(self, notice: Notice) -> None:
        found = self._builder.on_notice(notice, self._harness.clock.now())
        self.written += [found] if found else []

    @property
    def last(self) -> Outlook:
        return self.written[-1]


def played(hours: float = 0.2, **more: Any) -> tuple[BotHarness, Writer]:
    harness = BotHarness()
    writer = Writer(harness)
    harness.run(hours, observers=(writer,), **more)
    return harness, writer


def test_a_held_hedge_has_prices_result_next_payment_and_exits() -> None:
    harness, writer = played()
    before_the_end = writer.written[-2]
    held = before_the_end.held
    assert held is not None
    assert (held.hedge_id, held.symbol) == (harness.hedge.hedge_id, SYMBOL)
    prices = harness.world.prices(SYMBOL)
    assert prices is not None
    assert held.prices.spot == pytest.approx(prices.spot)
    assert held.prices.mark == pytest.approx(prices.mark)
    assert held.result.net_if_closed is not None
    assert held.result.fees_paid == harness.hedge.tally.fees
    assert (held.spot_quantity, held.short) == (harness.hedge.spot_quantity, harness.hedge.short)
    predicted = harness.market_data.predicted(SYMBOL, before_the_end.at)
    assert held.next_payment is not None
    assert predicted is not None
    assert (held.next_payment.at, held.next_payment.rate) == (predicted.at, float(predicted.rate))
    assert held.next_payment.amount == pytest.approx(harness.hedge.short * prices.mark * predicted.rate)
    assert len(held.exits) == 7
    assert before_the_end.equity is not None
    assert before_the_end.strategy is not None
    assert before_the_end.strategy.net_if_closed == held.result.net_if_closed


def test_an_outlook_with_a_payment_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "outlook.json"
    harness = BotHarness()
    harness.run(9, observers=(OutlookFile(path, OutlookBuilder(POLICY), harness.clock),))
    found = read_outlook(path)
    assert found is not None
    assert len(found.payments) == 1


def test_times_of_checks_are_known() -> None:
    harness, writer = played()
    first = writer.written[0]
    assert (first.checked_at, first.cycle, first.started_at) == (None, 0, first.at)
    ended = [outlook for outlook in writer.written if outlook.checked_at and not outlook.checking_since]
    assert ended[0].next_check_at == ended[0].started_at + timedelta(seconds=300)
    assert ended[0].read_at is not None
    assert writer.last.stopped_at == writer.last.at
    assert writer.last.next_check_at is None
    assert harness.ledger.largest is not None


def test_why_nothing_is_opened_is_reported() -> None:
    harness = BotHarness(usdt=5, perp=5)
    writer = Writer(harness)
    harness.run(0.05, observers=(writer,))
    assert writer.last.reason.startswith("too little capital: ")
    assert writer.last.held is None


def better_pair(outlook: Outlook) -> str:
    """Return the pair that the held hedge would be closed for."""
    assert outlook.held is not None
    return next(each.pair for each in outlook.held.exits if each.rule is Reason.BETTER_PAIR)


def test_no_exit_is_shown_for_a_pair_that_cannot_be_opened_and_the_reason_is_until_it_is_asked_about_again() -> None:
    parameters = StrategyParameters(
        position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600)
    )
    thin, other = "CCCUSDT", "BBBUSDT"
    listings = [
        Listing(SYMBOL, spot=100, rate="0.0004"),
        Listing(other, spot=120, rate="0.0003"),
        Listing(thin, spot=80, rate="0.002", depth_notional=400),
    ]
    harness = BotHarness(ScriptedMarketData(listings), parameters=parameters)
    writer = Writer(harness, VolumeFarming(parameters))
    harness.run(14, observers=(writer,))
    refused = [outlook for outlook in writer.written if outlook.refused and outlook.checking_since is None]
    assert len(refused) > 10
    for outlook in refused:
        assert (outlook.refused[0].symbol, outlook.refused[0].held) == (thin, SYMBOL)
        assert outlook.refused[0].until > outlook.at
        assert better_pair(outlook) == other
        assert outlook.reason.startswith(f"{SYMBOL} is not closed for {thin}, which could not be opened: spot book")
    first = writer.written.index(refused[0])
    assert better_pair(writer.written[first - 3]) == thin
    harness.market_data.set_liquidity(half_spread_bps=1, depth_notional=10_000_000, symbol=thin)
    harness.run(1, observers=(writer,))
    assert harness.logged(HedgeClosed)[0].reason is Reason.BETTER_PAIR
    assert writer.last.refused == ()


def test_an_exchange_that_cannot_be_read_is_blind_since_the_last_reading() -> None:
    harness, writer = played()
    read_at = writer.last.read_at

    async def unreadable() -> Any:
        raise VenueError("HTTP 500")

    harness.venue.account = unreadable  # type: ignore[method-assign] # what the exchange does now
    again = Writer(harness)
    harness.run(0.2, observers=(again,))
    started = again.written[0].started_at
    blind = again.written[-2]
    assert blind.blind_since == started
    assert blind.read_at is None
    assert any("HTTP 500" in what for what in blind.unread)
    del harness.venue.account
    harness.run(0.01, observers=(again,))
    assert again.last.blind_since is None
    assert read_at is not None


def test_a_reading_of_another_hedge_is_forgotten_with_it() -> None:
    def sell(harness: BotHarness) -> None:
        harness.world.trade_by_hand(
            Market.SPOT, SYMBOL, Side.SELL, harness.hedge.pair.spot.floor_quantity(harness.coins())
        )

    harness, writer = played(0.3, at={0.15: sell})
    assert harness.reasons
    for outlook in writer.written:
        if outlook.held is not None:
            assert outlook.held.hedge_id in {closed.hedge_id for closed in harness.ledger.closed}
    assert writer.last.held is None


def test_a_long_on_the_same_margin_is_reported_while_it_is_there() -> None:
    harness = BotHarness(ScriptedMarketData([Listing(rate="0.0004"), Listing("BBBUSDT", spot=20)]))
    writer = Writer(harness)
    harness.run(
        0.3,
        at={0.1: lambda f: f.world.trade_by_hand(Market.PERP, "BBBUSDT", Side.BUY, Decimal(1))},
        observers=(writer,),
    )
    assert len(writer.last.longs) == 1
    assert writer.last.longs[0].startswith("A long of 1 BBBUSDT is not the bot's")


def test_a_failed_check_is_reported_with_its_cause_and_the_time_of_the_next() -> None:
    harness = BotHarness()

    async def broken(periods: int) -> Any:
        raise ValueError(f"{periods} is a bad number")

    writer = Writer(harness)
    harness.venue.market = broken  # type: ignore[method-assign] # a mistake of ours
    harness.run(0.01, observers=(writer,))
    failed = next(outlook for outlook in writer.written if outlook.failure)
    assert "is a bad number" in failed.failure
    assert failed.blind_since == failed.started_at
    assert failed.next_check_at is not None


def test_notices_before_the_start_and_readings_that_are_not_given_write_nothing_new() -> None:
    builder, harness = OutlookBuilder(POLICY), BotHarness()
    now = harness.clock.now()
    assert builder.on_notice(Warned(at=now, text="early"), now) is None
    harness.run(0.01)
    for notice in harness.notices:
        builder.on_notice(notice, now)
    found = builder.on_notice(CycleEnded(at=now, ledger=harness.ledger, evaluation=None, equity=None), now)
    assert found is not None
    assert found.blind_since is not None


def test_the_file_is_read_as_it_was_written_and_a_torn_one_is_none(tmp_path: Path) -> None:
    harness = BotHarness()
    path = tmp_path / "outlook.json"
    observer = OutlookFile(path, OutlookBuilder(POLICY))
    harness.run(0.05, observers=(observer,))
    found = read_outlook(path)
    assert found is not None
    assert found.stopped_at is not None
    assert msgspec.json.decode(msgspec.json.encode(found), type=Outlook) == found
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert read_outlook(path) is None
    path.unlink()
    assert read_outlook(path) is None


def test_an_outage_names_the_next_try_and_not_the_next_regular_check() -> None:
    harness = BotHarness()
    writer = Writer(harness)
    harness.run(0.01, observers=(writer,))
    at = harness.clock.now()
    writer.on_notice(NothingRead(at=at, retry_seconds=10.0))
    assert writer.last.next_check_at == at + timedelta(seconds=10)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("equity", "NaN"),
        ("equity", "sNaN"),
        ("free_spot", "Infinity"),
        ("free_perp", "1e-999999"),
        ("free_perp", "-1e999999"),
        ("interval_seconds", 1e308),
        ("at", "9999-12-31T23:59:59Z"),
        ("at", "2026-01-05T12:00:00"),
        ("next_check_at", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_an_outlook_with_a_value_that_no_bot_writes_is_none(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "outlook.json"
    BotHarness().run(0.05, observers=(OutlookFile(path, OutlookBuilder(POLICY)),))
    assert read_outlook(path) is not None
    written = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    path.write_bytes(msgspec.json.encode(written | {key: value}))
    assert read_outlook(path) is None


def test_an_outlook_with_payments_of_19_digit_ids_is_read(tmp_path: Path) -> None:
    path = tmp_path / "outlook.json"
    BotHarness().run(0.05, observers=(OutlookFile(path, OutlookBuilder(POLICY)),))
    paid = {"at": "2026-01-10T08:00:00Z", "symbol": SYMBOL, "amount": "0.5", "tran_id": 4_480_321_991_774_044_823}
    written = msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    path.write_bytes(msgspec.json.encode(written | {"payments": [paid]}))
    found = read_outlook(path)
    assert found is not None
    assert found.payments[0].tran_id == 4_480_321_991_774_044_823


def test_a_pipe_or_a_folder_in_place_of_the_outlook_makes_nobody_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "outlook.json")
    assert read_outlook(tmp_path / "outlook.json") is None
    assert read_outlook(tmp_path) is None


def test_an_outlook_that_is_too_large_is_none(tmp_path: Path) -> None:
    path = tmp_path / "outlook.json"
    BotHarness().run(0.05, observers=(OutlookFile(path, OutlookBuilder(POLICY)),))
    path.write_bytes(path.read_bytes() + b" " * 1_048_576)
    assert read_outlook(path) is None
    path.write_bytes(b'{"more":' + b"[" * 30_000 + b"]" * 30_000 + b"}")
    assert read_outlook(path) is None


def test_a_folder_that_cannot_be_written_interrupts_nothing(tmp_path: Path) -> None:
    harness = BotHarness()
    observer = OutlookFile(tmp_path / "missing" / "outlook.json", OutlookBuilder(POLICY))
    harness.run(0.05, observers=(observer,))
    assert harness.hedge.spot_quantity > Decimal(0)
