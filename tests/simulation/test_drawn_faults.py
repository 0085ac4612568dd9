"""What a seed draws: changes of markets that an exchange accepts, replies that lie, and runs of months."""

from collections import Counter
from datetime import timedelta

import pytest

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.requests import Answer, ResumeRequested
from hedgerow.emulator.wire.faults import RequestFault, WireFault
from hedgerow.emulator.wire.mutations import Mutation
from hedgerow.simulation.alterations import Alteration, AlterationKind, change_of
from hedgerow.simulation.draws import LONG_PAIRS, draw_plan
from hedgerow.simulation.owner import OwnersMailbox
from hedgerow.simulation.plan import Door
from hedgerow.simulation.wire_troubles import RequestTrouble
from support.worlds import START, SYMBOL, make_world

SEEDS = range(200)


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("kind", list(AlterationKind))
def test_an_exchange_accepts_every_alteration_and_is_itself_again_after_it(
    kind: AlterationKind, market: Market
) -> None:
    world = make_world()
    before = world.pair(SYMBOL)
    assert before is not None
    books = {leg: world.depth(leg, SYMBOL) for leg in Market}
    world.change_market(change_of(Alteration(at=START, kind=kind, market=market, seconds=60.0), before))
    world.advance(START + timedelta(seconds=61))
    assert world.pair(SYMBOL) == before
    assert all(world.depth(leg, SYMBOL).touch(side) == books[leg].touch(side) for leg in Market for side in Side)


def test_every_alteration_is_drawn() -> None:
    drawn = [t for seed in SEEDS for t in draw_plan(seed, 14).troubles if isinstance(t, Alteration)]
    assert {alteration.kind for alteration in drawn} == set(AlterationKind)


def test_one_run_in_ten_spans_months_with_many_pairs_and_short_ones_never_do() -> None:
    plans = [draw_plan(seed, 14) for seed in SEEDS]
    long = [plan for plan in plans if plan.days != 14]
    assert 10 <= len(long) <= 30
    assert all(120 <= plan.days <= 400 and plan.pairs == LONG_PAIRS for plan in long)
    assert {draw_plan(seed, 3).days for seed in SEEDS} == {3}
    assert {draw_plan(seed, 14, door=Door.WIRE).days for seed in range(40)} == {14}


def test_replies_of_the_wire_lie_in_every_way() -> None:
    drawn = [
        trouble.fault
        for seed in SEEDS
        for trouble in draw_plan(seed, 1, door=Door.WIRE).troubles
        if isinstance(trouble, RequestTrouble)
    ]
    kinds = Counter(fault.fault for fault in drawn)
    new = {WireFault.REWRITE, WireFault.IDLE_NOOP, WireFault.LATE_ROWS, WireFault.PAGE_BEFORE, WireFault.PAGE_AFTER}
    assert new <= kinds.keys()
    assert {Mutation.ABSENT, Mutation.EMPTY, Mutation.NULL, Mutation.NAN, Mutation.HUGE} <= _mutations(drawn)


def _mutations(faults: list[RequestFault]) -> set[Mutation | None]:
    return {fault.mutation for fault in faults}


def test_the_owner_asks_once_until_he_is_answered() -> None:
    mailbox = OwnersMailbox()
    mailbox.resume()
    mailbox.resume()
    assert mailbox.take() == (("1", ResumeRequested()),)
    mailbox.answer("1", Answer(done=True, text="ok"))
    assert not mailbox.waiting
    mailbox.resume()
    assert [request_id for request_id, _ in mailbox.take()] == ["2"]
