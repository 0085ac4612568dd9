"""A long run in short: nothing that happened is left out, and nothing else fills the screen."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.dashboard.narration.quiet_filter import Digest
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.engine import notices as mo
from hedgerow.strategy.observation import Hold, HoldReason
from support.golden_cases import AT


class Screen:
    """Keeps what is passed on."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_notice(self, notice: mo.Notice) -> None:
        self.lines += [line.text for line in narrate(notice) if line.text and not line.text.startswith("=")]

    def taken(self) -> list[str]:
        taken, self.lines = self.lines, []
        return taken


def check(digest: Digest, number: int, *more: mo.Notice) -> None:
    at = AT + timedelta(minutes=5 * number)
    digest.on_notice(mo.CycleBegan(at=at, number=number))
    digest.on_notice(mo.BalancesRead(at=at, spot_usdt=Decimal(100), perp_usdt=Decimal(100)))
    for notice in more:
        digest.on_notice(notice)


def scanned(number: int) -> mo.NoOpportunity:
    return mo.NoOpportunity(at=AT + timedelta(minutes=5 * number), why="")


def held_back(reason: HoldReason) -> mo.Decided:
    return mo.Decided(at=AT, decision=Hold(reason=reason, detail="why"))


def numbers(lines: list[str]) -> list[str]:
    return [line.split()[1] for line in lines if line.startswith("CYCLE")]


def test_the_first_check_is_reported_and_quiet_ones_after_it_are_not() -> None:
    screen = Screen()
    digest = Digest(screen)
    for number in range(1, 6):
        check(digest, number, scanned(number))
    assert numbers(screen.lines) == ["#1"]
    assert "No pair passes every entry filter" in screen.lines


def test_a_check_in_which_something_happens_is_reported_from_its_beginning_and_so_is_the_next() -> None:
    screen = Screen()
    digest = Digest(screen)
    check(digest, 1)
    check(digest, 2)
    screen.taken()
    check(digest, 3, mo.Warned(at=AT, text="the venue lags"), scanned(3))
    assert screen.taken() == [
        "CYCLE #3 - 2025-01-15 19:00:10",
        "Performing health check...",
        "Spot USDT: $100.00",
        "Perp USDT: $100.00",
        "the venue lags",
        "No pair passes every entry filter",
    ]
    for number in range(4, 7):
        check(digest, number)
    assert numbers(screen.taken()) == ["#4"]


def test_the_same_obstacle_again_is_no_news_and_another_one_is() -> None:
    screen = Screen()
    digest = Digest(screen)
    for number in range(1, 7):
        check(digest, number, held_back(HoldReason.CAPITAL))
    assert numbers(screen.taken()) == ["#1", "#2"]
    check(digest, 7, held_back(HoldReason.INCOMPLETE))
    assert numbers(screen.taken()) == ["#7"]


def test_a_healthy_hold_is_quiet() -> None:
    screen = Screen()
    digest = Digest(screen)
    check(digest, 1)
    for number in range(2, 5):
        check(digest, number, held_back(HoldReason.HEALTHY))
    assert numbers(screen.lines) == ["#1"]
