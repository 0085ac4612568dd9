"""``hedgerow reconcile``: bring the log in line with the exchange, once, and say what was found and done."""

from pathlib import Path

from hedgerow.app.session import Session, open_session, read_settings
from hedgerow.app.signals import stop_between_trades
from hedgerow.app.venues.select import venue_access
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import ConfigOption, DryRunOption, HomeOption, PaperOption, StoreOption, home_of
from hedgerow.cli.running import logged
from hedgerow.clock import run_on
from hedgerow.domain.errors import AccountBusy
from hedgerow.engine.notices import Observer

__all__ = ["reconcile"]


def reconcile(
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
) -> int:
    """Bring the log in line with the exchange, as at a start: adopt, drop, book; an interrupted trade is finished.

    It changes the log, and trades where a stop left a leg open; while a bot runs it is refused.
    """
    place = home_of(home, paper=paper, dry_run=dry_run, store=store)
    settings = read_settings(place, config)
    try:
        with (
            open_session(place, settings, venue_access(place, lockstep=None)) as session,
            logged(place, console=True) as observers,
        ):
            halted = run_on(session.clock, lambda: _reconciled(session, observers))
    except AccountBusy as busy:
        raise AccountBusy(f"a running bot reconciles at every check, and no other process may: {busy}") from busy
    return ExitCode.HALTED if halted else ExitCode.DONE


async def _reconciled(session: Session, observers: tuple[Observer, ...]) -> bool:
    """Reconcile; return whether openings are halted."""
    async with session.awake(observers) as bot:
        bot.service.act_alone()
        with stop_between_trades(bot, session.clock):
            await bot.startup.run()
        return bot.journal.ledger.halt is not None
