"""Using the dashboard in a real browser: keyboard, restart, no script, many tabs, many bots, controls."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, Page, expect

from hedgerow.dashboard import formats
from hedgerow.dashboard.bot_state import BotState
from hedgerow.domain.operator_requests import CloseAllRequested, CloseRequested, HaltRequested, HedgeSeen
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.web.access import Role
from support.browsers import PHONE, BrowserHarness, keep, overflow, showing, violations
from support.dashboards import KeptAccess
from support.shown_bots import ShownBot, several, view_in

expect.set_options(timeout=20_000)  # of what has no limit of its own: a busy machine is no fault
FIVE_SECONDS = 5_000
LONG_ENOUGH = 60_000
"""Ten pages drawn on a busy machine; a page whose stream never opens stays as it was for good."""
TABS = ("pairs", "hedges", "payments", "decisions", "health", "log", "settings")
FOOT = ("now", "money", "pairs", "log", "act")


def press_until(page: Page, found: Callable[[], bool], most: int = 80) -> None:
    for _ in range(most):
        page.keyboard.press("Tab")
        if found():
            return
    raise AssertionError("not reached by the Tab key")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def test_the_keyboard_alone_closes_a_hedge_and_the_focus_is_on_keeping_it(hedged: BrowserHarness) -> None:
    page = hedged.open("/")
    hedge = view_in(BotState.HEDGED).hedges[0]
    press_until(page, lambda: focused(page) == "Close\N{HORIZONTAL ELLIPSIS}")
    page.keyboard.press("Enter")
    expect(page.locator("#dialog h1")).to_have_text(f"Close {hedge.symbol} now?")
    expect(page.get_by_role("link", name="Keep it")).to_be_focused()
    assert violations(page) == []
    keep(page, "dialog-desk-light")
    page.keyboard.press("Enter")
    expect(page.locator("#dialog")).not_to_be_visible()
    bot = hedged.bots["ridge-1"]
    assert bot.asked == []
    page.get_by_role("link", name="Close", exact=False).first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Keep it")).to_be_focused()
    press_until(page, lambda: focused(page) == f"Close {hedge.symbol}", 4)
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("Closed")
    seen = HedgeSeen(hedge_id=hedge.hedge_id, symbol=hedge.symbol)
    assert bot.asked == [(CloseRequested(symbol=hedge.symbol), seen)]
    assert hedged.complaints == []


def test_every_tab_and_part_fits_and_is_accessible(hedged: BrowserHarness) -> None:
    page = hedged.open("/")
    for tab in TABS:
        page.click(f"[data-tab={tab}]")
        expect(page.locator(f"#{tab}")).to_be_visible()
        assert overflow(page) <= 0, tab
        assert violations(page) == [], tab
    page.set_viewport_size(PHONE)
    for part in FOOT:
        page.click(f"[data-foot={part}]")
        assert overflow(page) <= 0, part
        assert violations(page) == [], part
        keep(page, f"part-{part}-phone-light")
    assert hedged.complaints == []


def test_a_curve_that_cannot_be_drawn_anew_yet_does_not_widen_a_smaller_window(hedged: BrowserHarness) -> None:
    page = hedged.open("/")
    page.click("[data-tab=pairs]")
    expect(page.locator("#plot canvas")).to_be_visible()
    page.route("**/*range=*", lambda route: route.abort())
    page.set_viewport_size(PHONE)
    page.click("[data-foot=money]")
    expect(page.locator("#plot canvas")).to_be_visible()
    assert overflow(page) <= 0


def test_what_changes_in_the_bot_changes_on_the_page_without_a_reload(hedged: BrowserHarness) -> None:
    page = hedged.open("/")
    page.evaluate("window.untouched = true")
    hedged.bots["ridge-1"].view = view_in(BotState.NAKED)
    expect(page.locator("h1").first).to_contain_text("Naked", timeout=FIVE_SECONDS)
    expect(page.locator("#job")).to_be_visible()
    assert page.locator("#legs").count() == 0
    hedged.bots["ridge-1"].view = view_in(BotState.DOWN)
    expect(page.locator("main.asof")).to_be_visible(timeout=FIVE_SECONDS)
    hedged.bots["ridge-1"].view = view_in(BotState.HEDGED)
    expect(page.locator("#legs")).to_be_visible(timeout=FIVE_SECONDS)
    assert page.evaluate("window.untouched") is True
    assert hedged.complaints == []


@pytest.mark.parametrize("state", [BotState.BLIND, BotState.DOWN])
def test_old_figures_are_grey_in_dashed_frames_and_nothing_is_green(hedged: BrowserHarness, state: BotState) -> None:
    frames = """() => [...document.querySelectorAll("main > section:not(.state)")].map(each => {
        const style = getComputedStyle(each);
        return `${style.borderTopStyle} ${style.filter}`;
    })"""
    green = """() => {
        const probe = document.body.appendChild(document.createElement("i"));
        probe.className = "gain";
        const gain = getComputedStyle(probe).color;
        probe.remove();
        const colours = each => [each.color, each.backgroundColor, each.borderLeftColor];
        const outside = document.querySelectorAll("header *, main > .state, main > .state *, body > .bar *");
        return [...outside].filter(each => colours(getComputedStyle(each)).includes(gain)).map(each => each.outerHTML);
    }"""
    page = hedged.open("/")
    assert "grayscale" not in " ".join(page.evaluate(frames))
    assert page.evaluate(green) != [], "what is current may be green"
    hedged.bots["ridge-1"].view = view_in(state)
    expect(page.locator("main.asof")).to_be_visible(timeout=FIVE_SECONDS)
    found = page.evaluate(frames)
    assert len(found) > 8
    assert set(found) == {"dashed grayscale(1)"}
    assert page.evaluate(green) == []
    expect(page.locator("main")).to_contain_text("as of")


def test_on_a_phone_the_bar_says_the_state_once_its_strip_is_scrolled_away(hedged: BrowserHarness) -> None:
    page = hedged.open("/", viewport=PHONE)
    pill = page.locator(".mini")
    expect(pill).to_be_hidden()
    page.mouse.wheel(0, 900)
    expect(pill).to_be_visible()
    expect(pill).to_have_text(hedged.bots["ridge-1"].view.report.title)
    page.mouse.wheel(0, -2_000)
    expect(pill).to_be_hidden()


def test_a_page_recovers_from_a_reload_and_from_a_restart_of_the_server_within_five_seconds(browser: Browser) -> None:
    bot, access = ShownBot(view_in(BotState.HEDGED)), KeptAccess()
    with showing(browser, {"ridge-1": bot}, access=access) as first:
        port = first.served.port
        context = first.context()
        page = first.open("/", context)
        page.reload()
        expect(page.locator("h1").first).to_contain_text("Hedged")
        first.leave_open()
    bot.view = view_in(BotState.HALTED_HEDGED)
    with showing(browser, {"ridge-1": bot}, access=access, port=port):
        expect(page.locator("h1").first).to_contain_text("halted", timeout=FIVE_SECONDS)
        context.close()


def test_without_a_script_the_numbers_are_there_and_a_hedge_can_be_closed(hedged: BrowserHarness) -> None:
    page = hedged.open("/", script=False)
    view = view_in(BotState.HEDGED)
    text = page.locator("body").inner_text()
    result = view.hedges[0].result
    assert result is not None
    assert formats.signed_money(result.net_if_closed) in text
    assert formats.quantity(view.hedges[0].spot.quantity, view.hedges[0].base) in text
    assert all(pair.seen.symbol in text for pair in view.pairs)
    assert page.locator("noscript svg, svg.chart").count() >= 1
    assert overflow_without_script(page)
    page.get_by_role("link", name="Close", exact=False).first.click()
    page.get_by_role("button", name="Close").click()
    assert [action for action, _ in hedged.bots["ridge-1"].asked] == [CloseRequested(symbol=view.hedges[0].symbol)]


def overflow_without_script(page: Page) -> bool:
    box = page.locator("main").bounding_box()
    return box is not None and box["width"] <= 1320


def test_ten_visible_tabs_of_one_browser_stay_live(hedged: BrowserHarness) -> None:
    """A browser has six connections to a host: with an event stream in each, the seventh page would not load."""
    context = hedged.context()
    context.add_init_script("Object.defineProperty(document, 'hidden', {get: () => false});")
    pages = [hedged.open("/", context) for _ in range(10)]
    hedged.bots["ridge-1"].view = view_in(BotState.HALTED_HEDGED)
    for page in pages:
        expect(page.locator("h1").first).to_contain_text("halted", timeout=LONG_ENOUGH)
    assert hedged.complaints == []


def test_a_hidden_tab_closes_its_stream_and_catches_up_once_it_is_shown(hedged: BrowserHarness) -> None:
    page = hedged.open("/")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true});"
        "window.show = (yes) => {window.away = !yes; document.dispatchEvent(new Event('visibilitychange'))};"
        "window.show(false)"
    )
    hedged.bots["ridge-1"].view = view_in(BotState.HALTED_HEDGED)
    page.wait_for_timeout(1500)
    expect(page.locator("h1").first).not_to_contain_text("halted")
    page.evaluate("show(true)")
    expect(page.locator("h1").first).to_contain_text("halted", timeout=FIVE_SECONDS)


def test_where_a_proxy_refuses_the_socket_the_page_is_live_by_events(hedged: BrowserHarness) -> None:
    context = hedged.context()
    context.add_init_script("window.WebSocket = class { constructor() { throw new Error('refused'); } };")
    page = hedged.open("/", context)
    hedged.bots["ridge-1"].view = view_in(BotState.HALTED_HEDGED)
    expect(page.locator("h1").first).to_contain_text("halted", timeout=FIVE_SECONDS)


def test_many_bots_are_listed_the_worst_first_and_lead_to_their_pages(screens: BrowserHarness) -> None:
    page = screens.open("/")
    names = page.locator("#fleet tbody th").all_inner_texts()
    assert len(names) == len(screens.bots)
    assert names[:3] == ["naked", "down", "blind"]
    assert names.index("halted-hedged") < names.index("hedged")
    assert violations(page) == []
    keep(page, "fleet-desk-light")
    page.set_viewport_size(PHONE)
    assert overflow(page) <= 0
    keep(page, "fleet-phone-light")
    page.get_by_role("link", name="naked").click()
    expect(page.locator("h1").first).to_contain_text("Naked")
    assert screens.complaints == []


def test_a_viewer_sees_everything_and_has_no_button(hedged: BrowserHarness) -> None:
    page = hedged.open("/", role=Role.VIEWER)
    expect(page.locator("h1").first).to_contain_text("Hedged")
    assert page.locator(".acts").count() == 0
    assert page.locator("#settings input").count() == 0


def test_settings_show_what_would_follow_before_they_are_written(hedged: BrowserHarness) -> None:
    page = hedged.open("/#settings")
    page.fill("[name='set.funding_rate_strategy.min_funding_apr']", "25")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("main")).to_contain_text("20 becomes 25")
    expect(page.locator("main")).to_contain_text("in force at the next check, without a restart")
    assert violations(page) == []
    page.get_by_role("button", name="Write to the file").click()
    assert hedged.bots["ridge-1"].written == [{"funding_rate_strategy.min_funding_apr": "25"}]
    expect(page.locator(".notice")).to_contain_text("in force at the next check")


def test_the_question_before_closing_shows_books_that_were_read_for_it(hedged: BrowserHarness) -> None:
    bot = hedged.bots["ridge-1"]
    hedge = bot.view.hedges[0]
    assert hedge.result is not None
    worse = replace(hedge.result, exit_spread=Decimal("7.77"))
    bot.price = ClosingPrice(hedge_id="", symbol="", at=bot.view.times.now, result=worse)
    page = hedged.open("/")
    page.get_by_role("link", name="Close", exact=False).first.click()
    dialog = page.locator("#dialog")
    expect(dialog).to_contain_text("as the bot read them for this question, at ")
    expect(dialog).to_contain_text(formats.signed_money(Decimal("-7.77")))
    expect(dialog).to_contain_text(formats.signed_money(worse.net_if_closed))
    page.keyboard.press("Escape")
    bot.price = None
    page.get_by_role("link", name="Close", exact=False).first.click()
    expect(dialog).to_contain_text("The bot did not read the books for this")


def test_the_question_before_closing_everything_shows_books_that_were_read_for_it(browser: Browser) -> None:
    bot = ShownBot(several(3))
    hedge = bot.view.hedges[0]
    assert hedge.result is not None
    worse = replace(hedge.result, exit_spread=Decimal("7.77"))
    bot.price = ClosingPrice(hedge_id="", symbol="", at=bot.view.times.now, result=worse)
    bot.unpriced = frozenset({bot.view.hedges[2].symbol})
    with showing(browser, {"ridge-1": bot}) as harness:
        page = harness.open("/bots/ridge-1/close?all=1")
        main = page.locator("main")
        expect(main).to_contain_text("as the bot read them for this question, at ")
        expect(main).to_contain_text(f"not those of {bot.view.hedges[2].symbol}")
        assert worse.exit_cost is not None
        assert hedge.result.exit_cost is not None
        expect(main).to_contain_text(formats.signed_money(-2 * worse.exit_cost - hedge.result.exit_cost))
        expect(page.get_by_role("link", name="Keep them")).to_be_focused()
        assert violations(page) == []
        page.get_by_role("button", name="Close all").click()
        assert bot.asked == [(CloseAllRequested(), None)]


def test_openings_are_halted_from_a_phone(hedged: BrowserHarness) -> None:
    page = hedged.open("/", viewport=PHONE)
    page.click("[data-foot=act]")
    page.get_by_role("link", name="Halt openings").click()
    page.get_by_role("button", name="Halt openings").click()
    expect(page.locator(".notice")).to_be_visible()
    assert hedged.bots["ridge-1"].asked == [(HaltRequested(detail="halted on the dashboard"), None)]


def test_signing_in_with_a_token_and_out_again(hedged: BrowserHarness, browser: Browser) -> None:
    token, context = hedged.served.token(), browser.new_context()
    page = hedged.open("/", context)
    assert violations(page) == []
    page.fill("#secret", "wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.fill("#secret", token)
    page.keyboard.press("Enter")
    expect(page.locator("h1").first).to_contain_text("Hedged")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#secret")).to_be_visible()
    page.goto(hedged.served.origin)
    expect(page.locator("#secret")).to_be_visible()
    context.close()
