from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.domain import events as ev
from hedgerow.domain.account import AccountView, Balance, PerpWallet
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.books import BookLine, Books, books_difference, held_of
from support.drawing import examples
from support.ledger_builder import START, LedgerBuilder

AT = datetime(2026, 1, 5, tzinfo=UTC)


def flow(amount: str, kind: FlowKind = FlowKind.OPENING, wallet: Wallet = Wallet.SPOT) -> ev.ExternalFlow:
    return ev.ExternalFlow(
        at=AT,
        row_id=f"{kind.value}:{wallet.value}:{amount}",
        wallet=wallet,
        asset="USDT",
        amount=Decimal(amount),
        kind=kind,
    )


def account(spot: dict[str, str], perp: str) -> AccountView:
    money = Decimal(perp)
    return AccountView(
        at=AT,
        spot={a: Balance(asset=a, free=Decimal(q) - 1, locked=Decimal(1)) for a, q in spot.items()},
        perp=PerpWallet(balance=money, unrealized_pnl=Decimal(77), available=money, transferable=money),
    )


def test_a_line_is_the_sum_of_its_parts_and_lines_add_up() -> None:
    one = BookLine(
        opening=Decimal(1),
        trades=Decimal(2),
        fees=Decimal(-3),
        funding=Decimal(4),
        transfers=Decimal(5),
        external=Decimal(6),
    )
    assert one.balance == 15
    assert one.plus(one) == BookLine(
        opening=Decimal(2),
        trades=Decimal(4),
        fees=Decimal(-6),
        funding=Decimal(8),
        transfers=Decimal(10),
        external=Decimal(12),
    )


def test_books_are_opened_by_their_first_line() -> None:
    assert not Books().opened
    assert Books().with_flow(flow("1000")).opened
    assert Books().line(Wallet.SPOT, "ABC") == BookLine()


def test_every_kind_of_row_lands_in_its_own_column() -> None:
    builder = LedgerBuilder()
    builder.record(flow("2000"), flow("500", wallet=Wallet.PERP), flow("-20", FlowKind.WITHDRAWAL))
    builder.record(
        ev.FundsTransferred(at=AT, transfer_id="t1", amount=Decimal(700), direction=TransferDirection.SPOT_TO_PERP),
        ev.FundsTransferred(at=AT, transfer_id="t2", amount=Decimal(100), direction=TransferDirection.PERP_TO_SPOT),
    )
    builder.begin().trade("s-1", Side.BUY, 10, 100).trade("p-1", Side.SELL, 10, 101)
    builder.fee("s-1", Side.BUY, 10, 100, fee="0.004", asset="ABC", value="0.4")
    builder.fee("p-1", Side.SELL, 10, 101, fee="0.5", pnl=3).opened().paid("1.25", 1)
    books = builder.ledger.books
    assert books.line(Wallet.SPOT, "ABC") == BookLine(trades=Decimal(10), fees=Decimal("-0.004"))
    assert books.line(Wallet.SPOT, "USDT") == BookLine(
        opening=Decimal(2000), trades=Decimal(-1000), transfers=Decimal(-600), external=Decimal(-20)
    )
    assert books.line(Wallet.PERP, "USDT") == BookLine(
        opening=Decimal(500),
        trades=Decimal(3),
        fees=Decimal("-0.5"),
        funding=Decimal("1.25"),
        transfers=Decimal(600),
    )
    assert books_difference(books, account({"USDT": "380", "ABC": "9.996"}, "1103.75")) == {}


def test_what_the_books_cannot_explain_is_shown_per_line() -> None:
    books = Books().with_flow(flow("100")).with_flow(flow("50", wallet=Wallet.PERP))
    assert books_difference(books, account({"USDT": "100", "SURPRISE": "3"}, "49")) == {
        "perp:USDT": Decimal(-1),
        "spot:SURPRISE": Decimal(3),
    }
    assert books_difference(books, account({}, "50")) == {"spot:USDT": Decimal(-100)}, "a balance that vanished"


def test_what_a_wallet_holds_leaves_out_what_is_empty_or_below_zero() -> None:
    lines = {
        "spot:USDT": BookLine(external=Decimal(5)),
        "spot:AAA": BookLine(),
        "spot:BBB": BookLine(fees=Decimal(-1)),
        "perp:USDT": BookLine(external=Decimal(7)),
    }
    assert Books(lines=lines).held(Wallet.SPOT) == {"USDT": Decimal(5)}


def test_a_trade_of_a_hedge_long_gone_is_still_booked_under_its_coin() -> None:
    books = LedgerBuilder().fee("s-1", Side.SELL, 1, 100, fee="0.04").ledger.books
    assert books.line(Wallet.SPOT, "ABC").trades == -1
    assert books.line(Wallet.SPOT, "USDT") == BookLine(trades=Decimal(100), fees=Decimal("-0.04"))


def test_a_fee_in_another_coin_has_its_own_line() -> None:
    books = (
        LedgerBuilder().open_hedge().fee("s-1", Side.BUY, 10, 100, fee="0.001", asset="BNB", value="0.6").ledger.books
    )
    assert books.line(Wallet.SPOT, "BNB").balance == Decimal("-0.001")
    assert books.line(Wallet.SPOT, "ABC").balance == 10


@pytest.mark.parametrize("wallet", Wallet)
def test_a_row_is_booked_once_however_often_it_is_read(wallet: Wallet) -> None:
    row = flow("5", FlowKind.REBATE, wallet)
    once, twice = LedgerBuilder(at=START).record(row), LedgerBuilder(at=START).record(row, row)
    assert once.ledger.books == twice.ledger.books


def test_a_transfer_is_booked_once_however_often_it_is_confirmed() -> None:
    moved = ev.FundsTransferred(at=AT, transfer_id="t1", amount=Decimal(7), direction=TransferDirection.SPOT_TO_PERP)
    assert LedgerBuilder().record(moved, moved).ledger.books.line(Wallet.PERP, "USDT").transfers == 7


def test_a_perpetuals_fee_leaves_the_asset_in_which_it_was_taken() -> None:
    builder = LedgerBuilder().begin().trade("p-1", Side.SELL, 10, 100)
    books = builder.fee("p-1", Side.SELL, 10, 100, fee=2, asset="FFF", value="0.4", pnl=5).ledger.books
    assert books.line(Wallet.PERP, "FFF").fees == -2
    assert books.line(Wallet.PERP, "USDT") == BookLine(trades=Decimal(5))


AMOUNTS = st.sampled_from([Decimal(0), Decimal(1), Decimal("1.50"), Decimal("1.5"), Decimal(-2)])
WALLETS = st.dictionaries(st.sampled_from(["USDT", "BTC", "ETH", "BNB"]), AMOUNTS)


@given(WALLETS, WALLETS, WALLETS, WALLETS)
@settings(max_examples=examples(60))
def test_the_difference_is_what_is_held_less_the_sum_of_each_line(
    spot: dict[str, Decimal], perp: dict[str, Decimal], booked_spot: dict[str, Decimal], booked_perp: dict[str, Decimal]
) -> None:
    lines = {f"spot:{asset}": BookLine(trades=amount, fees=Decimal(1)) for asset, amount in booked_spot.items()}
    lines |= {f"perp:{asset}": BookLine(opening=amount) for asset, amount in booked_perp.items()}
    books, money = Books(lines=lines), perp.pop("USDT", Decimal(0))
    seen = AccountView(
        at=AT,
        spot={asset: Balance(asset=asset, free=amount) for asset, amount in spot.items()},
        perp=PerpWallet(balance=money, available=money, transferable=money),
        perp_assets=perp,
    )
    held = held_of(seen)
    expected = {
        key: held.get(key, Decimal(0)) - lines.get(key, BookLine()).balance for key in held.keys() | lines.keys()
    }
    assert books_difference(books, seen) == {key: amount for key, amount in expected.items() if amount}


def test_books_that_a_row_was_added_to_are_summed_again() -> None:
    books = Books().with_flow(flow("100"))
    assert books.balances[Wallet.SPOT] == {"USDT": 100}
    after = books.with_flow(flow("5", FlowKind.DEPOSIT))
    assert after.balances[Wallet.SPOT] == {"USDT": 105}
    assert after.held(Wallet.SPOT) == {"USDT": 105}
    assert books.balances[Wallet.PERP] == {}
