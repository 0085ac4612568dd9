"""What a hedge is in another unit of its coin: the exchange has exchanged every coin for a fraction of a new one."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.execution import HedgeExecution, LegProgress
from hedgerow.domain.instrument import BasisPair, Instrument
from hedgerow.domain.ledger.order_index import retallied
from hedgerow.domain.position import DustLot, HedgedPosition, OrderRecord

__all__ = ["dust_in_new_units", "hedge_in_new_units", "job_in_new_units"]


def hedge_in_new_units(hedge: HedgedPosition, factor: Decimal) -> HedgedPosition:
    """Return a hedge whose quantities are divided by ``factor`` and whose prices are multiplied by it.

    The grids of its pair change alike: by the old ones all that is left would count as less than a lot. What it cost,
    received and paid in quote units stays as it is. ``factor`` is a power of ten, so that nothing is rounded.
    """
    settled = hedge.settled
    kept = replace(settled, spot_quantity=settled.spot_quantity / factor, perp_quantity=settled.perp_quantity / factor)
    orders = tuple(_order(record, factor) for record in hedge.orders)
    pair = BasisPair(spot=_grids(hedge.pair.spot, factor), perp=_grids(hedge.pair.perp, factor))
    swept = hedge.swept_quantity / factor
    return retallied(replace(hedge, pair=pair, orders=orders, settled=kept, swept_quantity=swept))


def dust_in_new_units(lot: DustLot, factor: Decimal) -> DustLot:
    """Return kept dust in new units; its cost is in quote units."""
    return replace(lot, quantity=lot.quantity / factor)


def job_in_new_units(job: HedgeExecution, factor: Decimal) -> HedgeExecution:
    """Return a job at rest, without an order at work or in doubt, in new units: it goes on with what is left of it."""
    plan = replace(
        job.plan,
        spot_quantity=job.plan.spot_quantity / factor,
        perp_quantity=job.plan.perp_quantity / factor,
        spot_floor=_price(job.plan.spot_floor, factor),
        perp_ceiling=_price(job.plan.perp_ceiling, factor),
    )
    return replace(
        job,
        pair=BasisPair(spot=_grids(job.pair.spot, factor), perp=_grids(job.pair.perp, factor)),
        plan=plan,
        spot=_leg(job.spot, factor),
        perp=_leg(job.perp, factor),
        follower_unwound=job.follower_unwound / factor,
        unwound=job.unwound / factor,
        spot_arrival=_price(job.spot_arrival, factor),
        perp_arrival=_price(job.perp_arrival, factor),
        coin_fee=None if job.coin_fee is None else job.coin_fee / factor,
        refusals=0,
        retry_at=None,
    )


def _leg(leg: LegProgress, factor: Decimal) -> LegProgress:
    return replace(leg, filled=leg.filled / factor, maker_filled=leg.maker_filled / factor)


def _price(price: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if price is None else price * factor


def _grids(instrument: Instrument, factor: Decimal) -> Instrument:
    return replace(
        instrument,
        tick=instrument.tick * factor,
        lot=instrument.lot / factor,
        min_quantity=instrument.min_quantity / factor,
        max_quantity=instrument.max_quantity / factor,
    )


def _order(record: OrderRecord, factor: Decimal) -> OrderRecord:
    request = record.request
    return replace(
        record,
        request=replace(request, quantity=request.quantity / factor, price=request.price * factor),
        filled_quantity=record.filled_quantity / factor,
        booked_quantity=record.booked_quantity / factor,
        booked_coin_fee=record.booked_coin_fee / factor,
    )
