"""A reader of a home gets the view with the bot's past, and without it where that cannot be read."""

import asyncio
from pathlib import Path

import pytest

from hedgerow.app.bot_view import look_at_bot, view_of_home
from hedgerow.app.commands.web.home_source import HomeSource
from hedgerow.app.home_past import CASH_RATE, HomePast
from hedgerow.app.outlook_file import OutlookFile
from hedgerow.app.series_file import SeriesFile
from hedgerow.config import Home
from hedgerow.dashboard.outlook import OutlookBuilder
from hedgerow.domain.records.time_series import MarkKind
from hedgerow.ports import Clock
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL


@pytest.fixture
def seen(tmp_path: Path) -> tuple[Home, Clock]:
    place = Home(folder=tmp_path)
    harness = BotHarness(open_store=lambda: SqliteStore(place.events))
    outlook = OutlookFile(place.outlook, OutlookBuilder(VolumeFarming(StrategyParameters())), harness.clock)
    series = SeriesFile(place.series, outlook.latest)
    harness.run(9, observers=(outlook, series))
    series.flush()
    series.close()
    return place, harness.clock


def test_the_view_of_a_home_has_its_past(seen: tuple[Home, Clock]) -> None:
    home, clock = seen
    view = asyncio.run(view_of_home(home, clock, cash_rate=0.04))
    assert view.hedges
    assert view.hedges[0].symbol == SYMBOL
    assert view.series is not None
    assert view.series.worth is not None
    assert view.series.worth.same_pair == SYMBOL
    assert view.series.worth.cash_rate == 0.04
    assert view.series.worth.same_pair_held is not None
    assert view.series.shares["hedged"] == pytest.approx(9 / 24, abs=0.02)
    assert {each.action for each in view.decisions} >= {"hold", "open"}
    assert view.payments[0].symbol == SYMBOL


def test_a_past_that_cannot_be_read_is_left_out(seen: tuple[Home, Clock]) -> None:
    home, clock = seen
    home.series.write_bytes(b"damaged" * 1000)
    view = asyncio.run(view_of_home(home, clock))
    assert view.series is None
    assert view.payments
    home.series.unlink()
    assert asyncio.run(view_of_home(home, clock)).series is None
    assert not home.series.exists()


def test_the_past_is_read_once_in_a_while_and_its_points_when_asked_for(seen: tuple[Home, Clock]) -> None:
    home, clock = seen
    look = asyncio.run(look_at_bot(home, clock))
    past = HomePast(home, clock)
    first = past.of(look.view)
    assert first is not None
    assert past.of(look.view) is first
    points = past.points(OPENED)
    assert len(points) > 100
    assert {point.kind for point in points} <= {MarkKind.HEDGED, MarkKind.TRADING}
    home.series.unlink()
    assert past.points(OPENED) == ()


def test_cash_is_compared_at_the_rate_that_the_user_sets(seen: tuple[Home, Clock]) -> None:
    home, clock = seen
    for given, rate in (({}, CASH_RATE), ({"cash_rate": 0.07}, 0.07)):
        worth = HomeSource(home, "bot", clock, log=lambda _line: None, **given).read().series
        assert worth is not None
        assert worth.worth is not None
        assert worth.worth.cash_rate == rate
        years = (worth.worth.until - worth.worth.since).total_seconds() / 3600 / 8760
        assert float(worth.worth.cash) == pytest.approx(float(worth.worth.capital) * rate * years)
