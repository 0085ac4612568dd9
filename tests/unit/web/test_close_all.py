"""The question about closing every hedge: sums by books that were read for it, and whose books were not."""

from decimal import Decimal
from html.parser import HTMLParser

from msgspec.structs import replace

from hedgerow.dashboard import formats
from hedgerow.dashboard.closing import closing_all
from hedgerow.dashboard.view import Difference, View
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.strategy.next_payment import NextPayment
from hedgerow.web.access import Role
from hedgerow.web.pages.cards import together_cards
from hedgerow.web.pages.controls import close_all_dialog
from hedgerow.web.pages.state import Shown
from support.shown_bots import several


class _Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data


def prices(view: View, spread: str = "7.77") -> list[ClosingPrice]:
    """Return prices of every hedge by books that are worse than when they were last read."""
    found: list[ClosingPrice] = []
    for number, hedge in enumerate(view.hedges):
        assert hedge.result is not None
        result = replace(hedge.result, exit_spread=Decimal(spread) + number)
        paid = NextPayment(at=view.times.now, rate=0.0001, amount=Decimal(number), interval_hours=8)
        found.append(
            ClosingPrice(
                hedge_id=hedge.hedge_id, symbol=hedge.symbol, at=view.times.now, result=result, next_payment=paid
            )
        )
    return found


def text_of(view: View, found: list[ClosingPrice]) -> str:
    shown = Shown(view=view, base="/bots/a", role=Role.OPERATOR, csrf="0" * 64)
    return _Text(str(close_all_dialog(shown, found))).text


def test_the_sums_are_those_of_the_books_read_for_the_question() -> None:
    view = several(3)
    found = prices(view)
    sums = closing_all(view.hedges, found)
    costs = [price.result.exit_cost for price in found]
    nets = [price.result.net_if_closed for price in found]
    assert (sums.exit_cost, sums.net_if_closed) == (sum(filter(None, costs)), sum(filter(None, nets)))
    assert (sums.next_payment, sums.read_at, sums.not_read) == (Decimal(3), view.times.now, ())
    text = text_of(view, found)
    assert "By the books as the bot read them for this question, at " in text
    assert sums.exit_cost is not None
    for value in (-sums.exit_cost, sums.net_if_closed, sums.next_payment):
        assert formats.signed_money(value) in text
    assert view.together is not None
    assert view.together.exit_cost != sums.exit_cost


def test_a_hedge_whose_books_were_not_read_is_named_with_the_age_of_its_reading() -> None:
    view = several(3)
    text = text_of(view, prices(view)[:2])
    name = view.hedges[2].symbol
    assert f"; not those of {name} {formats.ago(view.hedges[2].read_at, view.times.now)}" in text


def test_without_an_answer_the_last_reading_is_shown_and_called_so() -> None:
    view = several(2)
    text = text_of(view, [])
    assert "The bot did not read the books for this: they are as it read them: ATUSDT " in text
    assert view.together is not None
    assert formats.signed_money(view.together.net_if_closed) in text


def test_a_hedge_of_which_nothing_is_known_leaves_the_sums_unknown() -> None:
    view = several(2)
    unknown = replace(view, hedges=(view.hedges[0], replace(view.hedges[1], result=None)))
    sums = closing_all(unknown.hedges, prices(view)[:1])
    assert (sums.exit_cost, sums.net_if_closed) == (None, None)


def test_a_price_of_another_hedge_is_not_used() -> None:
    view = several(2)
    sums = closing_all(view.hedges, [replace(each, hedge_id="earlier") for each in prices(view)])
    assert sums.not_read == view.hedges


def test_the_net_of_several_is_that_of_the_one_whose_legs_differ_most() -> None:
    view = several(3)
    apart = Difference(quantity=Decimal(-1), fraction=-0.25, value=Decimal(-100))
    view = replace(view, hedges=(*view.hedges[:2], replace(view.hedges[2], difference=apart)))
    assert view.widest == 2
    card = str(together_cards(Shown(view=view, base="/bots/a", role=Role.OPERATOR, csrf="0" * 64))[0].html)
    assert f"{view.hedges[2].symbol}, the largest difference of 3 hedges" in card
    assert "25.000" in card
