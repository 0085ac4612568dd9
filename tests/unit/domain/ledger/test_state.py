from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import DoubtfulOrder, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger, Totals
from hedgerow.domain.order import OrderRequest
from support.ledger_builder import START, LedgerBuilder
from support.toy_venue import new_job


def test_a5_only_coins_that_the_log_bought_are_owned() -> None:
    builder = LedgerBuilder()
    # The account holds 2,000 coins of the user's: the books know them, the ledger owns none.
    builder.record(
        ev.ExternalFlow(
            at=START,
            row_id="o",
            wallet=ev.Wallet.SPOT,
            asset="ABC",
            amount=Decimal(2000),
            kind=ev.FlowKind.OPENING,
        )
    )
    assert builder.ledger.owned("ABC") == 0
    assert builder.open_hedge().ledger.owned("ABC") == Decimal("9.996")
    builder.close_hedge()
    assert builder.ledger.owned("ABC") == 0


def test_a5_coins_bought_are_owned_while_the_hedge_is_still_being_opened() -> None:
    builder = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100)
    assert builder.ledger.largest is None
    assert builder.ledger.foremost == builder.ledger.opening
    assert builder.ledger.owned("ABC") == Decimal("9.996")


def test_a5_dust_is_owned_beside_a_hedge_and_another_coin_is_not() -> None:
    builder = LedgerBuilder().dust("0.03", 3).open_hedge()
    assert builder.ledger.owned("ABC") == Decimal("10.026")
    assert builder.ledger.owned("XYZ") == 0


def test_money_is_not_a_coin() -> None:
    assert LedgerBuilder().open_hedge().ledger.owned("USDT") == 0


def test_imported_figures_add_to_the_total_but_not_to_what_the_bot_earned() -> None:
    imported = ev.StateImported(
        at=START,
        cycle_count=47,
        total_profit_loss=Decimal("-4.46"),
        positions_opened=9,
        positions_closed=8,
        symbol="ABCUSDT",
        position_opened_at=START,
    )
    ledger = LedgerBuilder().record(imported).ledger
    assert ledger.total_profit_loss == Decimal("-4.46")
    assert ledger.totals == Totals()
    assert (ledger.imported.cycle_count, ledger.imported.symbol) == (47, "ABCUSDT")
    assert ledger.imported.position_opened_at == START
    assert (ledger.imported.positions_opened, ledger.imported.positions_closed) == (9, 8)
    assert not ledger.books.opened, "outside equity"


def test_an_empty_ledger_knows_nothing() -> None:
    assert Ledger().foremost is None
    assert Ledger().total_profit_loss == 0


def test_orders_whose_outcome_is_not_certain_are_named_by_their_client_ids() -> None:
    order = OrderRequest(
        client_id="h1-p-1", market=Market.PERP, symbol="ABCUSDT", side=Side.SELL, quantity=Decimal(1), price=Decimal(1)
    )
    sent = PlaceOrder(hedge_id="h1", order=order)
    other = PlaceOrder(hedge_id="h1", order=replace(order, client_id="h1-p-2"))
    job = new_job()
    at = job.started_at
    assert Ledger().doubtful_orders == ()
    assert Ledger(execution=replace(job, working=sent)).doubtful_orders == ()
    resolving = replace(job, working=sent, state=ExecutionState.RESOLVING)
    assert Ledger(execution=resolving).doubtful_orders == ("h1-p-1",)
    doubtful = replace(resolving, doubtful=(DoubtfulOrder(command=other, until=at),))
    assert Ledger(execution=doubtful).doubtful_orders == ("h1-p-2", "h1-p-1")
