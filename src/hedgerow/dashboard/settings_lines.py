"""What would follow from changed settings, in sentences. Pure."""

from collections.abc import Iterator

from hedgerow.dashboard import formats
from hedgerow.strategy.decisions.consequences import ForeseenExit
from hedgerow.strategy.settings_changes import DecisionForeseen, ForeseenSettings, HedgeForeseen

__all__ = ["foreseen_lines"]

NOTHING = "By a reading of now, nothing would follow at once."
SHOWN_PAIRS = 5


def foreseen_lines(found: ForeseenSettings) -> tuple[str, ...]:
    """Return one sentence for each thing that would be otherwise at the next check; one that says so for none."""
    if found.missing:
        return (f"What would follow is not known: {', '.join(found.missing)} could not be read.",)
    lines = [line for hedge in found.hedges for line in _hedge(hedge)]
    lines += _entries(found)
    return tuple(lines) or (NOTHING,)


def _hedge(hedge: HedgeForeseen) -> Iterator[str]:
    if (hedge.now.action, hedge.now.reason) != (hedge.then.action, hedge.then.reason):
        now = _decided(hedge.now)
        yield f"{hedge.symbol}: the next check would decide {_decided(hedge.then)}; now it decides {now}."
    before = {_rule(each): each for each in hedge.exits_now}
    for each in hedge.exits_then:
        known = before.get(_rule(each))
        if known is None or known == each:
            continue
        old, new = known.distance, each.distance
        text = (
            f"{hedge.symbol}: {formats.exit_name(new).lower()} {formats.exit_value(new)} of {formats.exit_limit(new)}"
        )
        was = [formats.exit_value(old)] if formats.exit_value(old) != formats.exit_value(new) else []
        was += [f"of {formats.exit_limit(old)}"] if formats.exit_limit(old) != formats.exit_limit(new) else []
        text += f", now {' '.join(was)}" if was else ""
        if new.left == 0.0 and old.left != 0.0:
            text += ": it would hold at once"
        elif old.left == 0.0 and new.left != 0.0:
            text += ": it would no longer hold"
        follows = formats.consequence_text(each)
        yield f"{text}. When it holds: {follows[:1].lower()}{follows[1:]}."


def _rule(found: ForeseenExit) -> str:
    return found.distance.rule.value


def _decided(decision: DecisionForeseen) -> str:
    because = f" ({decision.reason}{f': {decision.detail}' if decision.detail else ''})" if decision.reason else ""
    return f"{decision.action}{because}"


def _entries(found: ForeseenSettings) -> Iterator[str]:
    total = len(found.pairs)
    now, then = sum(not each.now for each in found.pairs), sum(not each.then for each in found.pairs)
    passing = [each.symbol for each in found.pairs if each.now and not each.then]
    refused = [f"{each.symbol} ({each.then[0]})" for each in found.pairs if each.then and not each.now]
    if passing or refused:
        of_all = f"{formats.count(then)} of {formats.count(total)}"
        yield f"{of_all} pairs would pass the entry rules; {formats.count(now)} do now."
    if passing:
        yield f"They would pass: {_some(passing)}."
    if refused:
        yield f"They would be refused: {_some(refused)}."
    if found.blocked_now != found.blocked_then:
        yield (
            f"Nothing would be opened: {found.blocked_then}."
            if found.blocked_then
            else f"Openings would be possible; now: {found.blocked_now}."
        )
    if found.opens_now != found.opens_then:
        yield f"Opened next: {found.opens_then or 'no pair'}; now: {found.opens_now or 'no pair'}."
    if found.leg_now != found.leg_then:
        yield f"One leg of the next hedge: {formats.money(found.leg_then)}; now: {formats.money(found.leg_now)}."
    if found.halts:
        yield f"Openings would be halted: {found.halts}."


def _some(names: list[str]) -> str:
    left = len(names) - SHOWN_PAIRS
    return f"{', '.join(names[:SHOWN_PAIRS])}{f' and {left} more' if left > 0 else ''}"
