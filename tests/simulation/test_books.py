"""Whole bots under random faults, crashes and owners: at the end every line of the log is the exchange's too."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.app.simulation.run import play_whole
from hedgerow.dashboard.books.matching import audit
from hedgerow.dashboard.books.report import wallet_lines
from hedgerow.dashboard.books.statement import read_statement
from hedgerow.domain.money import ZERO
from hedgerow.simulation.generators.scenarios import draw_plan

ROUNDING = Decimal("1e-12")
"""Average prices are quotients, cut at 28 digits; rows have 8 decimals."""


@pytest.mark.parametrize("seed", range(6))
def test_every_line_is_matched_and_every_sum_is_the_sum_of_its_lines(seed: int) -> None:
    plan = draw_plan(seed, 5)
    result, log, world = play_whole(plan)
    assert result.violation is None
    statement = read_statement(log)
    lines = audit(statement, log, world.record(plan.begin - timedelta(days=1)))
    assert lines
    assert [line for line in lines if not line.standing.sound] == []
    assert [line for line in wallet_lines(statement, world.account(), lines) if line.difference] == []
    ended = [reported for reported in statement.hedges if reported.ended_at is not None]
    totals = statement.ledger.totals
    assert sum((reported.result.funding for reported in ended), ZERO) == totals.funding
    assert abs(sum((reported.result.basis or ZERO for reported in ended), ZERO) - totals.basis_pnl) < ROUNDING
    assert abs(sum((reported.result.fees_paid for reported in ended), ZERO) - totals.fees) < ROUNDING
    for reported in statement.hedges:
        assert sum((payment.amount for payment in reported.payments), ZERO) == reported.result.funding
        assert abs(sum((line.value for line in reported.fee_lines), ZERO) - reported.result.fees_paid) < ROUNDING
