"""Numbers in answers are those of the view, written by the one place that formats them."""

from pathlib import Path

import pytest

from hedgerow.dashboard import formats
from hedgerow.dashboard.view import View
from hedgerow.notify import answers
from hedgerow.notify.alerts import AlertKind
from support.alert_scenarios import SCENARIOS, played

pytestmark = pytest.mark.slow


def last_view(kind: AlertKind, folder: Path) -> View:
    return [step.view for step in played(kind, folder).steps if step.view is not None][-1]


@pytest.mark.parametrize("kind", SCENARIOS)
def test_the_answers_hold_every_number_as_the_screen_writes_it(kind: AlertKind, tmp_path: Path) -> None:
    view = last_view(kind, tmp_path)
    totals, held = view.totals, view.together
    money = answers.money_text(view)
    for value in (totals.net_closed, totals.net_if_closed, totals.funding, totals.basis):
        assert formats.signed_money(value) in money
    for value in (totals.equity, totals.free_spot, totals.free_perp, totals.fees):
        assert formats.money(value) in money
    if held is not None:
        assert formats.signed_money(held.net_if_closed) in money
        assert formats.money(held.exit_cost) in money
        assert formats.signed_money(held.net_if_closed) in answers.status_text(view)
    for hedge in view.hedges:
        text = answers.hedges_text(view)
        assert formats.quantity(hedge.spot.quantity, hedge.base, hedge.spot.step) in text
        assert formats.quantity(hedge.perp.quantity, hedge.base, hedge.perp.step) in text
        assert formats.percent(hedge.liquidation_distance) in text
        question = answers.close_question(hedge, view, None, 60)
        assert formats.signed_money(hedge.result.net_if_closed if hedge.result else None) in question
        if hedge.funding.next is not None:
            assert formats.signed_money(hedge.funding.next.amount) in answers.funding_text(view)
            assert formats.rate(hedge.funding.next.rate) in answers.funding_text(view)
    for row in view.closed[:5]:
        assert formats.signed_money(row.net) in answers.hedges_text(view)
    for pair in view.pairs[:10]:
        assert formats.apr(pair.seen.apr) in answers.pairs_text(view)
    assert view.report.title in answers.status_text(view)


def test_a_reading_that_is_old_says_so_in_every_answer(tmp_path: Path) -> None:
    view = next(
        step.view
        for step in played(AlertKind.VENUE_DOWN, tmp_path).steps
        if step.view is not None and step.view.times.is_old
    )
    texts = (answers.status_text, answers.money_text, answers.hedges_text, answers.funding_text, answers.pairs_text)
    assert all("AS OF " in text(view) for text in texts)
