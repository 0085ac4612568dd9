"""Exposure: how long and by how much the legs differed, trade by trade."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TypeVar

from msgspec import Struct

from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.money import ZERO

__all__ = ["SHARES", "Distribution", "TradeExposure", "distributions", "exposure_table", "quantiles"]

SHARES = (0.5, 0.9, 0.99, 0.999, 1.0)
"""Of the trades: those at or below each figure of a distribution."""
Number = TypeVar("Number", float, Decimal)


class TradeExposure(Struct, frozen=True, kw_only=True):
    """One job of two legs, from its beginning to its end, over all sessions of the bot."""

    style: str
    """How the leading leg was placed."""
    kind: ExecutionKind
    seconds: float = 0.0
    """Longest time that the legs differed by the bot's own trading; rounded up to when the bot received its end."""
    usd: Decimal = ZERO
    """Largest difference between the legs, quote units."""
    causes: tuple[str, ...] = ()
    """What in the world kept the legs apart, in alphabetical order."""


class Distribution(Struct, frozen=True, kw_only=True):
    """All trades of one style and kind, at the ``SHARES``."""

    style: str
    kind: str
    """``all`` for every kind together."""
    trades: int
    never: int
    """Trades whose legs never differed by more than an order can change, or 2 %."""
    seconds: tuple[float, ...]
    usd: tuple[Decimal, ...]


def distributions(trades: Sequence[TradeExposure]) -> Iterator[Distribution]:
    """Yield the distribution of each style: all its trades, then kind by kind; nothing for a style without trades."""
    for style in sorted({trade.style for trade in trades}):
        own = [trade for trade in trades if trade.style == style]
        yield _distribution(style, "all", own)
        for kind in ExecutionKind:
            some = [trade for trade in own if trade.kind is kind]
            if some:
                yield _distribution(style, kind.value, some)


def _distribution(style: str, kind: str, trades: Sequence[TradeExposure]) -> Distribution:
    return Distribution(
        style=style,
        kind=kind,
        trades=len(trades),
        never=sum(trade.seconds == 0 for trade in trades),
        seconds=tuple(quantiles([trade.seconds for trade in trades], SHARES)),
        usd=tuple(quantiles([trade.usd for trade in trades], SHARES)),
    )


def quantiles(values: Sequence[Number], shares: Sequence[float]) -> Iterator[Number]:
    """Yield the value at each share of the sorted values, the largest at 1; nothing of nothing."""
    ordered = sorted(values)
    for share in shares if ordered else ():
        yield ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def exposure_table(rows: Iterable[tuple[str, Distribution]]) -> Iterator[str]:
    """Yield distributions as a Markdown table, each under the name of its conditions."""
    shares = " | ".join(f"{share * 100:g} %" for share in SHARES)
    yield f"| conditions | style | kind | trades | never naked | unit | {shares} |"
    yield "|---" * (6 + len(SHARES)) + "|"
    for name, row in rows:
        share = f"{row.never / row.trades:.0%}"
        head = f"| {name} | {row.style} | {row.kind} | {row.trades} | {share} |"
        yield f"{head} s | {' | '.join(f'{value:.1f}' for value in row.seconds)} |"
        yield f"{head} USDT | {' | '.join(f'{value:.0f}' for value in row.usd)} |"
