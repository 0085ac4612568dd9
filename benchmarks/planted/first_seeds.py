"""Seeds that notice a planted behaviour soon: played first, so that a hunt does not search.

A seed that has gone stale, because the bot or the faults changed, costs time and nothing else: the others follow it.
``python benchmarks/planted_bugs.py --kind played`` shows in which seed each was noticed.
"""

from collections.abc import Mapping

__all__ = ["FIRST_SEEDS"]

FIRST_SEEDS: Mapping[str, int] = {
    "legs taken by others are passed over for a quarter of an hour": 3,
    "a naked closing takes every price for another coins": 15,
    "rows of the statement are read and never booked": 3,
    "the guard receives nothing": 3,
    "the capital range is ignored": 2,
    "settlements are no obstacle": 4,
    "there is no entry filter": 5,
    "funding is no entry filter": 5,
    "dust is never sold": 5,
    "every hedge is closed at the next check": 5,
    "every opening is undone": 4,
    "a near liquidation is waited for": 17,
    "the emergency stop never stops": 13,
    "naked time is reported as none": 11,
    "the alarm comes late": 12,
    "margin is never topped up": 17,
    "naked legs are logged and told to nobody": 3,
    "give up without unwinding": 12,
    "the leg that follows never runs out of time": 15,
    "a naked leg is left alone": 6,
    "halts are not looked at": 3,
    "a closing lifts the halt": 3,
    "naked without an alarm": 12,
    "an unreadable market is not expected": 15,
    "funding of one instant is booked once": 5,
    "a rotation closes the hedge that pays most": 7,
    "a trade that is set aside is forgotten for long": 12,
    "an order in doubt is not looked up for minutes": 16,
    "what rested is forgotten once cancelled": 19,
    "coins of a reduction are still owned": 19,
    "proceeds of a reduction are lost": 19,
    "late funding is lost": 28,
    "margin of held shorts is used again": 28,
    "a closing asked for during another trade is ignored": 29,
    "a closing asked for during another trade hits that trade": 29,
    "an unreadable account is not expected": 36,
    "no trade gives way": 340093,
    "what is held open limits nothing": 340002,
}
