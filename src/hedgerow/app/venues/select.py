"""Selects the venue of a home: live, paper, or live market data with an emulated account."""

from decimal import Decimal

from hedgerow.app.venues.connection import VenueAccess
from hedgerow.app.venues.environment import Environment, read_environment
from hedgerow.app.venues.live import live_venue_access
from hedgerow.config import Home, HomeMode
from hedgerow.domain.errors import ConfigError

__all__ = ["environment_of", "venue_access"]


def environment_of(home: Home) -> Environment:
    """Return the variables of the process and of the home's ``.env``.

    Raises:
        ConfigError: the file cannot be used.
    """
    return read_environment(home.secrets)


def venue_access(
    home: Home,
    *,
    speed: float | None = 1.0,
    usdt: Decimal | None = None,
    seed: int | None = None,
    lockstep: bool | None = False,
) -> VenueAccess:
    """Return the access to the exchange of ``home``; ``speed``, ``usdt`` and ``seed`` make paper.

    ``lockstep``: whether the clock is an emulator's; None, for a command that does one thing and ends, = if that one's
    time stands still otherwise.

    Raises:
        ConfigError: live credentials are missing, or something about the exchange cannot be used.
    """
    # The live bot has to start fast and needs no exchange of its own: the emulator is imported where it is used.
    if home.mode is HomeMode.PAPER:
        from hedgerow.app.venues.paper import DEFAULT_USDT, PaperTerms, paper_venue_access  # noqa: PLC0415

        terms = PaperTerms(seed=1 if seed is None else seed, usdt=DEFAULT_USDT if usdt is None else usdt)
        return paper_venue_access(home, terms, speed)
    environment = environment_of(home)
    if home.mode is HomeMode.DRY_RUN:
        from hedgerow.app.venues.dry_run import dry_run_venue_access  # noqa: PLC0415

        return dry_run_venue_access(home, environment, usdt=usdt, lockstep=lockstep)
    if not environment.has_credentials:
        _refuse_paper_home(home)
    return live_venue_access(home, environment, lockstep=lockstep)


def _refuse_paper_home(home: Home) -> None:
    """Without credentials, a home where only a paper bot has run was probably meant as one."""
    others = [(Home(folder=home.folder, mode=HomeMode.PAPER), "--paper")]
    others.append((Home(folder=home.folder, mode=HomeMode.DRY_RUN), "--dry-run"))
    ran = [flag for other, flag in others if other.events.exists()]
    if ran and not home.events.exists():
        raise ConfigError(
            f"no credentials, and no live log in {home.folder}: the bot that ran here is meant by {' or '.join(ran)};"
            f" for live trading set API_USER, API_SIGNER and API_PRIVATE_KEY, in {home.secrets} for example"
        )
