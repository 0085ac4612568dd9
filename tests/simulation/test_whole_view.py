"""The view that every screen takes its numbers from is held against the exchange after every event of a run."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import ClassVar

import pytest
from msgspec.structs import replace

from hedgerow.app import simulated_view
from hedgerow.app.simulated_view import FLAT, HEDGED, SimulatedView
from hedgerow.app.simulation import run
from hedgerow.app.simulation.run import play_seed
from hedgerow.dashboard.bot_state import StateReport, bot_state
from hedgerow.dashboard.status_lines import BotView
from hedgerow.dashboard.view import View, view_document, view_of_bot
from hedgerow.domain.ledger.state import Ledger
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.checks.view import Shown

DOCUMENTED_EVERY = 10


class WholeView(SimulatedView):
    """What is judged is taken from the whole view, which must not contradict itself either."""

    made = 0
    wrongs: ClassVar[list[str]] = []

    def seen(self, bot: BotView) -> Shown:
        view = self.whole(bot)
        WholeView.wrongs += _contradictions(view)
        WholeView.made += 1
        if WholeView.made % DOCUMENTED_EVERY == 0:
            view_document(view)
        largest = bot.ledger.largest
        held = next((hedge for hedge in view.hedges if largest and hedge.hedge_id == largest.hedge_id), None)
        return Shown(
            state=view.report.state.value,
            hedged=view.report.state in HEDGED,
            flat=view.report.state in FLAT,
            longest_naked_seconds=view.totals.longest_naked_seconds,
            net_so_far=held.result.net_so_far if held and held.result else None,
        )

    def whole(self, bot: BotView) -> View:
        return view_of_bot(bot)


def _contradictions(view: View) -> Iterator[str]:
    for hedge in view.hedges if view.report.state in HEDGED else ():
        shown, larger = hedge.difference, max(hedge.spot.quantity, -hedge.perp.quantity)
        tolerated = max(hedge.bounds.lot, hedge.bounds.least, Decimal(str(hedge.bounds.trim)) * larger)
        if shown is None or abs(shown.quantity) > tolerated:
            yield f"{hedge.symbol} is shown as hedged: {shown}"
    if view.report.state in FLAT and view.hedges and view.job is None:
        yield "flat, and something is shown as held"
    nets = [hedge.result.net_if_closed if hedge.result else None for hedge in view.hedges]
    if view.together and view.together.net_if_closed != (None if None in nets else sum(net for net in nets if net)):
        yield f"{view.together.net_if_closed} is no sum of {nets}"
    if view.job is not None and view.job.longest_naked_seconds > view.report.longest_naked_seconds:
        yield f"a trade was naked for {view.job.longest_naked_seconds} s of {view.report.longest_naked_seconds} s"


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SimulatedView", WholeView)
    WholeView.made = 0
    WholeView.wrongs.clear()


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize(("seed", "hedges"), [(0, 1), (3, 1), (5, 3), (11, 2)])
def test_the_view_shows_nothing_better_than_it_is(seed: int, hedges: int) -> None:
    assert play_seed(seed, 2.0, hedges=hedges).violation is None
    assert WholeView.wrongs == []
    assert WholeView.made > 100


class Flattering(WholeView):
    """Shows half the naked time."""

    def whole(self, bot: BotView) -> View:
        view = view_of_bot(bot)
        return replace(view, totals=replace(view.totals, longest_naked_seconds=0.0))


def test_a_view_that_shows_less_naked_time_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SimulatedView", Flattering)
    found = (play_seed(seed, 2.0).violation for seed in range(6))
    assert Invariant.SHOWN in {violation.rule for violation in found if violation}


@pytest.mark.usefixtures("whole")
def test_a_view_that_calls_everything_hedged_contradicts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_view, "bot_state", _hedged(bot_state))
    play_seed(0, 2.0)
    assert any("is shown as hedged" in wrong for wrong in WholeView.wrongs)


def _hedged(honest: Callable[..., StateReport]) -> Callable[..., StateReport]:
    def report(ledger: Ledger, *others: object) -> StateReport:
        found = honest(ledger, *others)
        return replace(found, state=next(iter(HEDGED))) if ledger.foremost else found

    return report
