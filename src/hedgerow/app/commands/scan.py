"""``scan``: reads the market of a home without its account and its event log."""

import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from hedgerow.app.session import read_ledger, read_settings
from hedgerow.app.venues.live import live_exchange
from hedgerow.app.venues.paper import PaperExchange, PaperTerms, paper_clock
from hedgerow.app.venues.select import environment_of
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode
from hedgerow.domain.errors import ConfigError, HedgerowError
from hedgerow.domain.market import MarketView
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.strategy.decisions.scan import Scan, scan
from hedgerow.strategy.policies import load_policy
from hedgerow.strategy.policy import settled_rates

__all__ = ["look_at_market", "policy_errors"]


async def look_at_market(home: Home, config: Path | None, ma_periods: int | None) -> Scan:
    """Return every pair as the home's policy sees it now; a live market is public, and needs no credentials.

    Raises:
        ConfigError: the configuration, credentials or hosts cannot be used, or the policy fails.
        StoreError: the home's log cannot be read.
        VenueError: the market cannot be read.
    """
    settings = read_settings(home, config, ma_periods)
    policy = load_policy(settings.parameters.policy, settings.parameters)
    periods = settled_rates(policy)
    paper = home.mode is HomeMode.PAPER
    ledger = await read_ledger(home)
    market = await (_paper_market(home, periods) if paper else _live_market(home, periods))
    with policy_errors(settings.parameters.policy):
        return scan(market, policy, ledger)


@contextmanager
def policy_errors(name: str) -> Generator[None]:
    """Report an exception of a user's policy as an error of the configuration: what was raised, and where.

    Raises:
        ConfigError: the body raised something that is not an error of ours.
    """
    try:
        yield
    except HedgerowError:
        raise
    except Exception as error:  # the code of a policy may raise anything
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        raise ConfigError(f"policy {name} failed: {type(error).__name__}: {error} ({where})") from error


async def _paper_market(home: Home, periods: int) -> MarketView:
    exchange = PaperExchange(home.exchange, PaperTerms(), SystemClock().now)
    return await EmulatedVenue(exchange.world, paper_clock(home, exchange), name="paper exchange").market(periods)


async def _live_market(home: Home, periods: int) -> MarketView:
    environment = environment_of(home)
    live = live_exchange(environment, environment.credentials())
    async with live.connected(stay=False):
        if live.client.credentials is not None:
            await live.client.synchronise()
        return await live.venue.market(periods)
