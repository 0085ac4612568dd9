"""What the account holds that is not the bot's is counted and named."""

from decimal import Decimal

import pytest

from hedgerow.domain.ledger.state import Ledger
from hedgerow.strategy.decisions.foreign import foreign_longs, foreign_positions, hedges_found
from hedgerow.strategy.decisions.reconcile import reconcile
from support.views import account, hedge, ledger_of, listing, market_of, pair_of, short_of, sole

MARKET = market_of(*(listing(pair=pair_of(f"{base}USDT")) for base in ("AAA", "BBB", "CCC")))
TWO = account(short_of("AAAUSDT"), short_of("BBBUSDT"), coins={"AAA": "1", "BBB": "1"})
BARE = account(short_of("BBBUSDT", "3"))
UNEQUAL = account(short_of("AAAUSDT", "1"), coins={"AAA": "2"})


@pytest.mark.parametrize(
    ("seen", "ledger", "count", "texts"),
    [
        (
            TWO,
            Ledger(),
            2,
            ("AAAUSDT: a short of 1 with 1 coins against it", "BBBUSDT: a short of 1 with 1 coins against it"),
        ),
        (UNEQUAL, Ledger(), 1, ("AAAUSDT: a short of 1 with 2 coins against it",)),
        (BARE, Ledger(), 0, ("BBBUSDT: 3 short without coins against it",)),
        (
            account(short_of("AAAUSDT", "10"), short_of("BBBUSDT", "3"), coins={"AAA": "10"}),
            ledger_of(hedge("10")),
            0,
            ("BBBUSDT: 3 short without coins against it",),
        ),
        (account(), Ledger(), 0, ()),
    ],
    ids=["two hedges", "one with coins too many", "a bare short", "a bare short beside the hedge", "nothing"],
)
def test_shorts_that_are_not_the_bots_are_counted_and_named(
    seen: object, ledger: Ledger, count: int, texts: tuple[str, ...]
) -> None:
    verdict = sole(reconcile(ledger, seen, MARKET))  # type: ignore[arg-type] # accounts, all of them
    assert (hedges_found(verdict), foreign_positions(verdict)) == (count, texts)


def test_longs_on_the_cross_margin_are_named_with_the_short_that_they_endanger() -> None:
    seen = account(short_of("AAAUSDT", "10"), short_of("CCCUSDT", "-4"), coins={"AAA": "10"})
    (text,) = foreign_longs(seen, ledger_of(hedge("10")))
    assert text.startswith("A long of 4 CCCUSDT is not the bot's")
    assert text.endswith("liquidation of AAAUSDT nearer")
    (text,) = foreign_longs(seen, Ledger())
    assert text.endswith("liquidation of a short of the bot nearer")
    assert foreign_longs(account(short_of("AAAUSDT", "10")), Ledger()) == ()
    assert foreign_longs(None, Ledger()) == ()
    assert seen.positions["CCCUSDT"].quantity == Decimal(4)
