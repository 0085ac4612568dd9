"""Views whose figures are drawn, and the number that a text of a screen says."""

import re
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.dashboard import formats
from hedgerow.dashboard import view as view_module
from hedgerow.dashboard.bot_state import BotState
from hedgerow.dashboard.view import View
from support.shown_bots import view_in

__all__ = ["assert_says", "drawn_views", "read_back"]

NUMBER = re.compile(r"(?P<sign>[-+\N{MINUS SIGN}]?)\$?(?P<digits>[\d,]+(?:\.\d+)?)")
SCALES = {
    "%": Decimal("0.01"),
    "bp": Decimal("0.0001"),
    "B": Decimal(10) ** 9,
    "M": Decimal(10) ** 6,
    "k": Decimal(10) ** 3,
}


def read_back(text: str) -> tuple[Decimal, Decimal]:
    """Return the number of a text, and half of its last digit: what rounding may have taken."""
    found = NUMBER.search(text)
    assert found is not None, text
    digits = found["digits"].replace(",", "")
    unit = next((unit for unit in SCALES if text.endswith(f" {unit}")), "")
    scale = SCALES.get(unit, Decimal(1))
    if text.endswith(" d") and " " in text:  # an age limit of days
        scale = Decimal(24)
    last = Decimal(1).scaleb(-len(digits.partition(".")[2])) * scale
    value = Decimal(digits) * scale
    return (-value if found["sign"] in {"-", "\N{MINUS SIGN}"} else value), last * Decimal("0.5000001")


def assert_says(text: str, line: str, *values: Decimal | float | None) -> None:
    """Check that a line of ``text`` says these values, in the places that ``{}`` marks; an unknown one is ``?``.

    Two blanks stand for two or more, three points for anything.
    """
    pattern = re.escape(line).replace(r"\{\}", "(.+?)").replace(r"\ \ ", r" {2,}").replace(r"\.\.\.", ".*")
    found = re.search(f"^{pattern}$", text, re.MULTILINE)
    assert found is not None, f"no line {line!r} in:\n{text}"
    for said, value in zip(found.groups(), values, strict=True):
        if value is None:
            assert said == formats.UNKNOWN, f"{line}: {said} is shown for what is not known"
            continue
        number, rounding = read_back(said)
        assert abs(number - Decimal(str(value))) <= rounding, f"{line}: {said} is shown for {value}"


money = st.decimals(min_value=-(10**7), max_value=10**7, places=8, allow_nan=False)
part = st.floats(min_value=-3, max_value=30, allow_nan=False)
positive = st.decimals(min_value=Decimal("0.00000001"), max_value=10**6, places=8, allow_nan=False)


def unknown_or(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


@st.composite
def drawn_views(draw: st.DrawFn) -> View:
    """Return a view whose figures are drawn, unknown ones among them."""
    base = view_in(BotState.HEDGED)
    hedge = base.hedges[0]
    result = hedge.result
    assert result is not None
    result = replace(
        result,
        funding=draw(money),
        spot_pnl=draw(unknown_or(money)),
        perp_pnl=draw(unknown_or(money)),
        exit_fees=draw(unknown_or(money)),
        exit_spread=draw(unknown_or(money)),
    )
    quantity = draw(money)
    hedge = replace(
        hedge,
        result=draw(unknown_or(st.just(result))),
        spot=replace(
            hedge.spot, quantity=draw(positive), price=draw(unknown_or(positive)), value=draw(unknown_or(money))
        ),
        perp=replace(hedge.perp, pnl=draw(unknown_or(money)), entry_price=draw(unknown_or(positive))),
        difference=view_module.Difference(quantity=quantity, fraction=draw(part), value=draw(unknown_or(money))),
        basis=draw(unknown_or(part)),
        liquidation_distance=draw(unknown_or(part)),
        maintenance=draw(unknown_or(money)),
        adl_rank=draw(unknown_or(st.integers(0, 4))),
        funding_received=draw(money),
        fees_paid=draw(money),
        funding=replace(hedge.funding, mean=draw(unknown_or(part)), apr_on_leg=draw(unknown_or(part))),
    )
    hedges = (hedge,) if draw(st.booleans()) else (hedge, replace(hedge, hedge_id="h2", symbol="BTCUSDT"))
    totals = replace(
        base.totals,
        net_if_closed=draw(unknown_or(money)),
        equity=draw(unknown_or(money)),
        largest_naked=draw(positive),
        longest_naked_seconds=draw(st.floats(min_value=0, max_value=10**5)),
    )
    pairs = tuple(
        replace(pair, seen=replace(pair.seen, apr=draw(unknown_or(part)), volume=draw(unknown_or(positive))))
        for pair in base.pairs[:2]
    )
    return replace(base, hedges=hedges, together=view_module._together(hedges), totals=totals, pairs=pairs)
