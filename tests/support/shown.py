"""What a screen would show of a bot at any time, held against the account on the exchange."""

from collections.abc import Iterator
from decimal import Decimal

from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, bot_state
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.dashboard.status_lines import BotView
from hedgerow.dashboard.view import view_document, view_of_bot
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.notices import CycleEnded, Notice, Recorded
from hedgerow.strategy.policies import VolumeFarming
from support.crash_sites import CrashSite

__all__ = ["ScreenObserver"]

WHOLE_EVERY = 25
"""The whole view, which takes longer than its state alone, is made at every so many looks."""
HEDGED = {BotState.HEDGED, BotState.HALTED_HEDGED}
FLAT = {BotState.FLAT, BotState.HALTED_FLAT}


class ScreenObserver:
    """An observer that looks after every event and check, and when asked to; ``wrongs`` is what was shown too well."""

    def __init__(self, crash_site: CrashSite, policy: VolumeFarming, coins: dict[str, Decimal]) -> None:
        """``coins`` are the user's."""
        self._crash_site, self._coins = crash_site, coins
        self._builder = OutlookBuilder(policy)
        self._outlook: Outlook | None = None
        self.wrongs: list[str] = []
        self._looks = 0
        self.looks = True
        """Whether it looks by itself, after every event and check."""

    def on_notice(self, notice: Notice) -> None:
        now = self._crash_site.venue.clock.now()
        self._outlook = self._builder.on_notice(notice, now) or self._outlook
        if not self.looks:
            return
        if isinstance(notice, Recorded):
            self.look(notice.after)
        elif isinstance(notice, CycleEnded):
            self.look(notice.ledger)

    def look(self, ledger: Ledger) -> None:
        """Look with a process that counts as running, and with one that is known to be gone."""
        now, outlook = self._crash_site.venue.clock.now(), self._outlook
        process = Process(state=ProcessState.RUNNING, pid=outlook.pid if outlook else None, last_beat=now)
        report = bot_state(ledger, process, outlook, now)
        apart = self._apart()
        if report.state in HEDGED and apart:
            self.wrongs.append(f"shown as {report.state} while {apart}")
        if report.state in FLAT and (apart or ledger.foremost):
            self.wrongs.append(f"shown as {report.state} while {apart or ledger.foremost}")
        if report.longest_naked_seconds < ledger.max_naked_seconds:
            self.wrongs.append(f"{report.longest_naked_seconds} s naked are shown of {ledger.max_naked_seconds}")
        gone = bot_state(ledger, Process(state=ProcessState.GONE, pid=1, last_beat=now), outlook, now)
        if gone.state is not BotState.DOWN:
            self.wrongs.append(f"a dead bot is shown as {gone.state}")
        self._looks += 1
        if self._looks % WHOLE_EVERY == 0:
            bot = BotView(ledger=ledger, process=process, outlook=outlook, report=report, now=now)
            self.wrongs += _of_the_view(bot)

    def _apart(self) -> str:
        """Return what differs on the exchange by more than 2 % and than an order can change; empty = nothing."""
        account = self._crash_site.world.account()
        for pair in self._crash_site.market_data.pairs:
            own = account.coin(pair.base).total - self._coins.get(pair.base, Decimal(0))
            short, prices = account.short(pair.symbol), self._crash_site.world.prices(pair.symbol)
            least = max(pair.lot_step, pair.min_notional / prices.spot) if prices else pair.lot_step
            if abs(own - short) > max(2 * least, Decimal("0.02") * max(own, short)):
                return f"{pair.symbol} has {own} coins against {short}"
        return ""


def _of_the_view(bot: BotView) -> Iterator[str]:
    """Yield what the whole view of a screen says better than it is."""
    view = view_of_bot(bot)
    hedged = view.report.state in HEDGED
    for hedge in view.hedges:
        shown, largest = hedge.difference, max(hedge.spot.quantity, -hedge.perp.quantity)
        tolerated = max(hedge.bounds.lot, hedge.bounds.least, Decimal(str(hedge.bounds.trim)) * largest)
        if hedged and (shown is None or abs(shown.quantity) > tolerated):
            yield f"{hedge.symbol} is shown as hedged with {shown}"
        if hedge.job is not None and hedge.job.open_quantity > tolerated and view.job is None:
            yield f"a trade of {hedge.symbol} is not shown"
    if view.report.state in FLAT and view.hedges:
        yield f"shown as flat with {view.hedges[0].symbol}"
    if view.totals.longest_naked_seconds < bot.ledger.max_naked_seconds:
        yield f"{view.totals.longest_naked_seconds} s naked are shown of {bot.ledger.max_naked_seconds}"
    if view.totals.net_if_closed is not None and not view.totals.net_if_closed.is_finite():
        yield f"a result of {view.totals.net_if_closed}"
    view_document(view)
