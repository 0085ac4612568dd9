from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.domain.market import Depth
from hedgerow.strategy.evaluation.ranking import rank
from hedgerow.strategy.evaluation.screening import basis_of, contradiction_refusal, depth_refusal, refusals
from hedgerow.strategy.observation import RefusalKind
from hedgerow.strategy.parameters import FundingRateStrategy
from support.views import depth, instrument, listing, market_of, pair_of

GUIDE = FundingRateStrategy()
LIMITS = ExecutionLimits()


def kinds(entry: listing) -> list[RefusalKind]:
    market = market_of(entry)
    signal = rank(market, GUIDE).signal(entry.pair.symbol)
    return [refusal.kind for refusal in refusals(entry.pair, signal, market, GUIDE)]


def test_a_perpetual_far_above_or_below_its_coin_is_refused_and_one_at_the_bound_is_not() -> None:
    assert RefusalKind.BASIS in kinds(listing(pair=pair_of(), perp=("102.01", "102.02")))
    assert RefusalKind.BASIS not in kinds(listing(pair=pair_of(), spot=("99.99", "100"), perp=("102", "102.01")))
    assert RefusalKind.BASIS in kinds(listing(pair=pair_of(), perp=("90", "90.01")))


def test_a_good_pair_is_not_refused() -> None:
    assert kinds(listing(pair=pair_of())) == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"predicted": None}, RefusalKind.PREDICTED),
        ({"volume": None}, RefusalKind.VOLUME),
        ({"spot": None}, RefusalKind.BOOK),
        ({"perp": None}, RefusalKind.BOOK),
        ({"spot": ("100", None)}, RefusalKind.BOOK),
        ({"perp": (None, "100")}, RefusalKind.BOOK),
        ({"prints": 9}, RefusalKind.SIGNAL),
    ],
)
def test_b8_what_cannot_be_read_is_refused(changes: dict[str, Any], kind: RefusalKind) -> None:
    assert kinds(listing(**{"pair": pair_of(), **changes})) == [kind]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"predicted": "0"}, RefusalKind.PREDICTED),
        ({"predicted": "-0.0001"}, RefusalKind.PREDICTED),
        ({"rate": "-0.0001"}, RefusalKind.SIGNAL),
        ({"rate": "0"}, RefusalKind.SIGNAL),
        ({"rate": "0.0001"}, RefusalKind.APR),
        ({"volume": "4999999"}, RefusalKind.VOLUME),
        ({"spot": ("99.8", "100"), "perp": ("100", "100")}, RefusalKind.SPREAD),
    ],
)
def test_what_does_not_reach_a_limit_is_refused(changes: dict[str, Any], kind: RefusalKind) -> None:
    assert kinds(listing(**{"pair": pair_of(), **changes})) == [kind]


def test_the_limits_themselves_pass() -> None:
    edge = listing(pair=pair_of(), volume="5000000", spot=("199.85", "200.15"), perp=("199.85", "199.9"), mark="200")
    assert kinds(edge) == []


@pytest.mark.parametrize(("bid", "passes"), [("101", True), ("100.16", True), ("99.85", True), ("99.84", False)])
def test_b9_a_premium_of_the_perpetual_is_welcome_and_only_a_discount_is_refused(*, bid: str, passes: bool) -> None:
    found = kinds(listing(pair=pair_of(), perp=(bid, "102")))
    assert found == ([] if passes else [RefusalKind.BASIS])


def test_b9_the_basis_is_the_executable_one() -> None:
    market = market_of(listing(pair=pair_of(), spot=("99", "100"), perp=("101", "103")))
    assert basis_of("AAAUSDT", market) == Decimal("0.01")
    assert basis_of("BBBUSDT", market) is None


@pytest.mark.parametrize("symbol", ["TESTUSDT", "TEST1USDT"])
def test_instruments_for_trials_are_refused(symbol: str) -> None:
    assert kinds(listing(pair=pair_of(symbol))) == [RefusalKind.TEST_SYMBOL]


def test_another_quote_asset_is_refused_on_each_leg() -> None:
    spot, perp = (instrument(market, quote="USDF") for market in Market)
    assert kinds(listing(pair=pair_of(spot=spot, perp=perp))) == [RefusalKind.QUOTE_ASSET] * 2


@pytest.mark.parametrize("market", list(Market))
def test_a_leg_that_does_not_trade_is_refused(market: Market) -> None:
    closed = replace(pair_of().instrument(market), status=TradingStatus.SETTLING)
    pair = pair_of(spot=closed) if market is Market.SPOT else pair_of(perp=closed)
    assert kinds(listing(pair=pair)) == [RefusalKind.NOT_TRADING]


def test_every_reason_is_given_at_once() -> None:
    bad = listing(pair=pair_of(), volume="1", rate="-0.001", predicted=None, spot=("90", "100"), perp=("90", "91"))
    assert kinds(bad) == [
        RefusalKind.SIGNAL,
        RefusalKind.PREDICTED,
        RefusalKind.VOLUME,
        RefusalKind.SPREAD,
        RefusalKind.BASIS,
        RefusalKind.UNDERLYING,
    ]


def test_depth_that_carries_the_size_is_accepted() -> None:
    spot, perp = depth(Market.SPOT, quantity="1"), depth(Market.PERP, quantity="1")
    assert depth_refusal(spot, perp, Decimal(100), LIMITS) is None


@pytest.mark.parametrize(
    ("spot", "perp", "text"),
    [
        (None, depth(Market.PERP), "spot depth unreadable"),
        (depth(Market.SPOT), None, "perpetual depth unreadable"),
        (replace(depth(Market.SPOT), asks=()), depth(Market.PERP), "spot book is one-sided"),
        (replace(depth(Market.SPOT), bids=()), depth(Market.PERP), "spot book is one-sided"),
        (depth(Market.SPOT, quantity="0.99"), depth(Market.PERP), "spot book shows $99 within 10 bp, $100 needed"),
        (depth(Market.SPOT), depth(Market.PERP, quantity="0.5"), "perpetual book shows $50"),
    ],
)
def test_depth_that_cannot_be_seen_or_is_too_thin_is_refused(spot: Depth | None, perp: Depth | None, text: str) -> None:
    refusal = depth_refusal(spot, perp, Decimal(100), LIMITS)
    assert refusal is not None
    assert refusal.kind is RefusalKind.DEPTH
    assert text in refusal.detail


@pytest.mark.parametrize(
    ("spot", "perp", "said"),
    [
        ("100", "100", None),
        ("101.9", "98.1", None),
        ("10", "100", "spot book at 10 contradicts its best prices at 100"),
        ("100", "1000", "perpetual book at 1000 contradicts its best prices at 100"),
    ],
)
def test_books_that_contradict_the_best_prices_are_not_opened_on(spot: str, perp: str, said: str | None) -> None:
    market = market_of(listing(pair=pair_of()))
    found = contradiction_refusal("AAAUSDT", depth(Market.SPOT, spot), depth(Market.PERP, perp), market)
    assert (found.detail if found else None) == said
    assert contradiction_refusal("AAAUSDT", None, None, market) is None
    assert contradiction_refusal("AAAUSDT", depth(Market.SPOT, "7"), None, None) is None
