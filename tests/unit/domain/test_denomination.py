"""A hedge in new coins: other quantities and prices, the same money."""

from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.events import HedgeRedenominated
from hedgerow.domain.folding import apply
from hedgerow.domain.instrument import Side
from hedgerow.domain.position import DustLot
from support.diary import Diary

FACTOR = Decimal(1000)


def held() -> Diary:
    diary = (
        Diary().begin().trade("s-1", Side.BUY, 10, 100).fee("s-1", Side.BUY, 10, 100, fee="0.01", asset="ABC", value=1)
    )
    return diary.trade("p-1", Side.SELL, 9, 101).fee("p-1", Side.SELL, 9, 101, fee="0.4").opened()


def test_quantities_are_divided_and_money_stays() -> None:
    diary = held()
    before = diary.ledger.hedge
    after = diary.tell(HedgeRedenominated(at=diary.now, hedge_id="h1", factor=FACTOR)).ledger.hedge
    assert before is not None
    assert after is not None
    assert (after.spot_quantity, after.short) == (before.spot_quantity / FACTOR, before.short / FACTOR)
    assert (after.entry_price, after.entry_notional) == (before.entry_price * FACTOR, before.entry_notional)
    assert (after.tally.spot_bought, after.tally.perp_sold) == (before.tally.spot_bought, before.tally.perp_sold)
    assert after.tally.fees == before.tally.fees
    assert after.unsettled == []
    assert after.spot_quantity * (120 * FACTOR) == before.spot_quantity * 120


def test_dust_of_the_coin_is_counted_in_new_coins_too() -> None:
    lot = DustLot(asset="ABC", quantity=Decimal(2), cost=Decimal(150))
    diary = held()
    diary.tell(ev.DustKept(at=diary.now, lot=lot))
    ledger = diary.tell(HedgeRedenominated(at=diary.now, hedge_id="h1", factor=FACTOR)).ledger
    assert (ledger.dust["ABC"].quantity, ledger.dust["ABC"].cost) == (Decimal("0.002"), Decimal(150))


def test_another_hedge_stays_as_it_is() -> None:
    ledger = held().ledger
    event = ev.HedgeRedenominated(at=held().now, hedge_id="h2", factor=FACTOR)
    assert apply(ledger, event).hedge == ledger.hedge
