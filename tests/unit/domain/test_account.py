from datetime import UTC, datetime
from decimal import Decimal

from hedgerow.domain.account import AccountView, Balance, PerpPosition, PerpWallet

WALLET = PerpWallet(
    balance=Decimal(500), unrealized_pnl=Decimal(-20), available=Decimal(300), transferable=Decimal(280)
)


def position(quantity: str) -> PerpPosition:
    return PerpPosition(
        symbol="ABCUSDT",
        quantity=Decimal(quantity),
        entry_price=Decimal(100),
        mark_price=Decimal(101),
        leverage=1,
    )


def view(*, spot: tuple[Balance, ...] = (), positions: tuple[PerpPosition, ...] = ()) -> AccountView:
    return AccountView(
        at=datetime(2026, 1, 5, tzinfo=UTC),
        spot={b.asset: b for b in spot},
        perp=WALLET,
        positions={p.symbol: p for p in positions},
    )


def test_margin_balance_includes_unrealised_pnl() -> None:
    assert WALLET.margin_balance == 480


def test_only_free_usdt_can_be_spent() -> None:
    account = view(spot=(Balance(asset="USDT", free=Decimal(90), locked=Decimal(10)),))
    assert account.spot_usdt == 90
    assert account.coin("USDT").total == 100


def test_an_asset_the_venue_does_not_list_is_zero() -> None:
    assert view().spot_usdt == 0
    assert view().coin("ABC") == Balance(asset="ABC", free=Decimal(0))


def test_a_short_has_a_size_and_a_long_is_no_short() -> None:
    assert view(positions=(position("-3"),)).short("ABCUSDT") == 3
    assert view(positions=(position("3"),)).short("ABCUSDT") == 0
    assert view(positions=(position("-3"),)).position_quantity("ABCUSDT") == -3


def test_a_symbol_without_a_position_is_flat() -> None:
    assert view().short("ABCUSDT") == 0
    assert view().position_quantity("ABCUSDT") == 0
