from decimal import Decimal

import pytest

from hedgerow.domain.commands import TransferDirection, TransferFunds


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_transfer_moves_a_positive_amount(amount: str) -> None:
    with pytest.raises(ValueError, match="t1: a transfer moves a positive amount"):
        TransferFunds(transfer_id="t1", amount=Decimal(amount), direction=TransferDirection.PERP_TO_SPOT)


def test_a_transfer_moves_usdt_unless_given_otherwise() -> None:
    transfer = TransferFunds(transfer_id="t1", amount=Decimal(1), direction=TransferDirection.PERP_TO_SPOT)
    assert transfer.asset == "USDT"
