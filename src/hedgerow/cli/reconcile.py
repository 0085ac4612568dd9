"""``hedgerow reconcile``: compare the log with the exchange, once, and say what was found."""

import asyncio
from pathlib import Path

from hedgerow.app.choice import access_to
from hedgerow.app.session import open_session, read_settings
from hedgerow.app.signals import stop_between_trades
from hedgerow.cli.codes import Exit
from hedgerow.cli.common import ConfigOption, DryRunOption, HomeOption, PaperOption, home_of
from hedgerow.cli.running import spoken

__all__ = ["reconcile"]


def reconcile(
    home: HomeOption = Path(), config: ConfigOption = None, *, paper: PaperOption = False, dry_run: DryRunOption = False
) -> int:
    """Reconcile as at start: adopt, let go, book what is missing; a trade that a crash cut short is finished."""
    place = home_of(home, paper=paper, dry_run=dry_run)
    settings = read_settings(place, config)
    with open_session(place, settings, access_to(place)) as session, spoken(place, console=True) as listeners:

        async def main() -> bool:
            async with session.awake(listeners) as bot:
                with stop_between_trades(bot):
                    await bot.startup.run()
                return bot.journal.ledger.halt is not None

        halted = asyncio.run(main())
    return Exit.HALTED if halted else Exit.DONE
