"""For drawn values and views, every number that a screen shows, read back, is the view's."""

import json
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from hedgerow.dashboard import formats, terminal_cards
from hedgerow.dashboard.view import HedgeView, View, view_document
from support.drawn_views import views
from support.shown_numbers import is_shown, number_in

AMOUNTS = st.decimals(min_value=Decimal(-(10**8)), max_value=Decimal(10**8), places=8)
FRACTIONS = st.floats(min_value=-50, max_value=50, allow_nan=False)
LARGE = st.decimals(min_value=0, max_value=Decimal(10**12), places=2)
UNSHRUNK = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])
"""A view has so many parts that making a failing one small takes minutes."""
ROW = re.compile(r"│ (.*?) {2,}(.*?) *│")


@pytest.mark.parametrize("written", [formats.money, formats.signed_money, formats.quantity, formats.price])
@given(value=AMOUNTS | st.none())
def test_an_amount_is_read_back(written: Any, value: Decimal | None) -> None:
    assert is_shown(value, written(value))


@pytest.mark.parametrize(
    "written",
    [formats.percent, formats.signed_percent, formats.rate, formats.apr, formats.bps, formats.signed_bps],
)
@given(value=FRACTIONS | st.none())
def test_a_fraction_is_read_back(written: Any, value: float | None) -> None:
    assert is_shown(value, written(value))


@given(value=LARGE | st.none())
def test_a_volume_is_read_back_to_three_digits(value: Decimal | None) -> None:
    found = number_in(formats.volume(value))
    if value is None or found is None:
        assert value is None
        assert found is None
        return
    assert abs(found[0] - value) <= max(value * Decimal("0.0051"), Decimal("0.5"))


@given(value=st.decimals(min_value=Decimal(-(10**6)), max_value=Decimal(10**6), places=5))
def test_a_sign_is_never_lost(value: Decimal) -> None:
    text = formats.signed_money(value)
    assert text.startswith("+$" if value > 0 else f"{formats.MINUS}$" if value < 0 else "$")
    assert "-" not in text


def rows_of(part: RenderableType) -> dict[str, str]:
    console = Console(width=160, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(part)
    return {found[1].strip(): found[2].strip() for found in map(ROW.match, capture.get().splitlines()) if found}


@UNSHRUNK
@given(view=views())
def test_the_cards_of_a_terminal_show_the_numbers_of_the_view(view: View) -> None:
    made, hedged = rows_of(terminal_cards.made_card(view)), rows_of(terminal_cards.hedged_card(view))
    if not view.hedges:
        assert is_shown(view.totals.funding, made["Funding"])
        assert is_shown(view.totals.net_closed, made[f"{view.totals.closed} closed hedges"])
        assert is_shown(view.totals.longest_naked_seconds, hedged["Longest naked"])
        return
    _check_hedge(view.hedges[0], made, hedged)
    (whole,) = [
        text for name, text in made.items() if re.match(rf"With {view.totals.closed}( closed$|, without )", name)
    ]
    assert is_shown(view.totals.net_if_closed, whole)


def _check_hedge(hedge: HedgeView, made: dict[str, str], hedged: dict[str, str]) -> None:
    result, payment = hedge.result, hedge.funding.next
    assert is_shown(hedge.funding_received, made[f"Funding, {hedge.funding_payments} payments"])
    assert is_shown(-hedge.fees_paid, made["Fees paid"])
    assert is_shown(result.basis if result else None, made["Basis P/L"])
    assert is_shown(result.net_if_closed if result else None, made["If closed now"])
    cost = result.exit_cost if result else None
    assert is_shown(None if cost is None else -cost, made["Fees, spread to close"])
    (paid,) = [text for name, text in made.items() if name.startswith("Next ")]
    assert is_shown(payment.amount if payment else None, paid)
    assert is_shown(hedge.spot.quantity, hedged["Spot"])
    assert is_shown(hedge.perp.quantity, hedged["Perpetual"])
    assert is_shown(hedge.liquidation_distance, hedged["Liquidation"].removesuffix(" away"))
    spot, perp = hedged["Worth"].split("  ")
    assert is_shown(hedge.spot.value, spot)
    assert is_shown(hedge.perp.value, perp)
    now, entry = hedged["Basis (at entry)"].rstrip(")").split(" (")
    assert is_shown(hedge.basis, now)
    assert is_shown(hedge.entry_basis, entry)
    fraction, worth = hedged["Legs differ by"].split("  ")
    assert is_shown(hedge.difference.fraction if hedge.difference else None, fraction)
    assert is_shown(hedge.difference.value if hedge.difference else None, worth)


@UNSHRUNK
@given(view=views())
def test_the_document_has_every_number_of_the_view(view: View) -> None:
    document = json.loads(msgspec.json.encode(view_document(view)))
    assert Decimal(document["totals"]["net_closed"]) == view.totals.net_closed
    assert [row["seen"]["apr"] for row in document["pairs"]] == [row.seen.apr for row in view.pairs]
    for written, hedge in zip(document["hedges"], view.hedges, strict=True):
        assert Decimal(written["spot"]["quantity"]) == hedge.spot.quantity
        assert written["liquidation_distance"] == hedge.liquidation_distance
        assert [each["distance"]["left"] for each in written["exits"]] == [each.distance.left for each in hedge.exits]
        net = written["result"] and written["result"]["net_if_closed"]
        assert (None if net is None else Decimal(net)) == (hedge.result.net_if_closed if hedge.result else None)
    assert set(document) == set(view.__struct_fields__)


def test_a_formatter_that_rounds_otherwise_is_caught() -> None:
    assert is_shown(Decimal("1.96"), "+$1.96")
    assert not is_shown(Decimal("1.96"), "+$1.97")
    assert not is_shown(Decimal("1.96"), "+$19.60")
    assert not is_shown(Decimal("1.96"), f"{formats.MINUS}$1.96")
    assert not is_shown(0.0195, "1.94 %")
    assert not is_shown(None, "$0.00")
    assert not is_shown(Decimal(0), "?")
