"""Two sides of one line."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.dashboard.books.entries import LineKind
from hedgerow.dashboard.books.matching import AuditLine, MatchStatus, audit
from hedgerow.dashboard.books.statement import read_statement
from hedgerow.domain import events as ev
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.ports import AccountHistory, StatementRow
from support.ledger_builder import START, LedgerBuilder


def row_line(**changes: object) -> AuditLine:
    """Return the line of a deposit that both sides have, the venue's with some fields changed."""
    at = START + timedelta(minutes=1)
    values = {"row_id": "r1", "wallet": Wallet.SPOT, "asset": "USDT", "amount": Decimal(5), "kind": FlowKind.DEPOSIT}
    opening = {**values, "row_id": "opening", "kind": FlowKind.OPENING}
    log = LedgerBuilder().record(
        ev.ExternalFlow(at=START, **opening),  # type: ignore[arg-type] # each by its name
        ev.ExternalFlow(at=at, **values),  # type: ignore[arg-type] # each by its name
    )
    log.wait(hours=1).record(ev.CycleCompleted(at=log.now, number=1))
    venue = StatementRow(at=at, **{**values, **changes})  # type: ignore[arg-type] # each by its name
    (line,) = audit(read_statement(log.events), log.events, AccountHistory(fills=(), payments=(), rows=(venue,)))
    assert line.kind is LineKind.ROW
    return line


def test_a_row_that_both_sides_have_alike_is_matched() -> None:
    assert row_line().standing is MatchStatus.MATCHED


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"asset": "FFF"}, "asset: USDT in the log, FFF at the exchange"),
        ({"amount": Decimal(6)}, "amount: 5 in the log, 6 at the exchange"),
    ],
)
def test_a_row_in_another_asset_or_of_another_amount_differs(changes: dict[str, object], detail: str) -> None:
    line = row_line(**changes)
    assert (line.standing, line.detail) == (MatchStatus.DIFFERS, detail)
