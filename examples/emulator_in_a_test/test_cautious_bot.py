"""The bot against a local Aster: with Hedgerow installed the fixture ``aster`` is there, one exchange for each test."""

from decimal import Decimal

import pytest
from cautious_bot import CautiousBot

from hedgerow.testing import LocalAster

SYMBOL, QUANTITY = "BTCUSDT", "0.005"


@pytest.fixture
def bot(aster: LocalAster) -> CautiousBot:
    """Return a bot with the keys of the exchange's first account."""
    account = aster.account
    return CautiousBot(aster.futures_rest, account.api_key, account.api_secret)


def test_a_rate_that_is_too_low_is_left_alone(aster: LocalAster, bot: CautiousBot) -> None:
    aster.set_funding(SYMBOL, "0.0001", interval_hours=8)
    assert not bot.short_if_it_pays(SYMBOL, QUANTITY, least=0.0003)
    assert SYMBOL not in aster.positions()


def test_a_rate_that_pays_is_shorted_and_funding_is_received(aster: LocalAster, bot: CautiousBot) -> None:
    aster.set_price(SYMBOL, 60_000)
    aster.set_funding(SYMBOL, "0.0005", interval_hours=8)
    assert bot.short_if_it_pays(SYMBOL, QUANTITY, least=0.0003)
    aster.advance(hours=8)
    assert round(aster.funding()[0].amount, 3) == Decimal("0.150")  # 0.005 x 60,000 x 0.0005


def test_an_order_whose_answer_is_lost_is_looked_up_and_not_sent_twice(aster: LocalAster, bot: CautiousBot) -> None:
    aster.set_funding(SYMBOL, "0.0005", interval_hours=8)
    aster.inject("503_after", path="/order", method="POST")
    assert bot.short_if_it_pays(SYMBOL, QUANTITY, least=0.0003)
    assert aster.positions()[SYMBOL].quantity == Decimal("-0.005")
    assert len(aster.requests("/order", method="POST")) == 1
