"""The bot's own money: what needs a price, and what does not."""

from decimal import Decimal

import pytest

from hedgerow.domain.position import DustLot
from hedgerow.engine.accounting.equity import equity_of
from support.views import account, ledger_of, listing, market_of, pair_of

MARKET = market_of(listing(pair=pair_of("AAAUSDT")))


@pytest.mark.parametrize(("kept", "equity"), [("0", Decimal(2000)), ("1", None)])
def test_only_dust_of_which_something_is_left_needs_a_price(kept: str, equity: Decimal | None) -> None:
    lot = DustLot(asset="BBB", quantity=Decimal(kept), cost=Decimal(3))
    assert equity_of(ledger_of(dust={"BBB": lot}), account(), MARKET) == equity
