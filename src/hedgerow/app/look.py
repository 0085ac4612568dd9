"""A look at the market of a home, without touching its account or log."""

from pathlib import Path

from hedgerow.app.paper import PaperExchange, PaperTerms
from hedgerow.app.session import read_settings
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.emulator.venue import EmulatedVenue
from hedgerow.strategy.policies import load_policy
from hedgerow.strategy.scan import Scan, scan

__all__ = ["look_at_market"]


async def look_at_market(home: Home, config: Path | None, ma_periods: int | None) -> Scan:
    """Return every pair as the home's policy sees it now.

    Raises:
        ConfigError: the configuration cannot be used.
        VenueError: the market cannot be read.
    """
    settings = read_settings(home, config, ma_periods)
    policy = load_policy(settings.parameters.policy, settings.parameters)
    clock = SystemClock()
    exchange = PaperExchange(home.exchange, PaperTerms(), clock.now)
    venue = EmulatedVenue(exchange.world, clock, name="paper exchange")
    market = await venue.market(settings.parameters.funding_rate_strategy.funding_ma_periods)
    return scan(market, policy)
