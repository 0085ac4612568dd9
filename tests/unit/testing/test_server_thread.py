"""A served exchange that cannot begin, or breaks: a caller that waits gets the reason."""

import pytest

from hedgerow.domain.errors import ConfigError, StoreError
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.testing.server_thread import PATIENCE_SECONDS, ExchangeThread
from support.wire import make_wired


def breaking() -> WireVenue:
    """Return an exchange whose file can no longer be written from its second save on."""
    sound = make_wired().venue
    saves: list[int] = []

    def save(_: Exchange) -> None:
        saves.append(1)
        if len(saves) > 1:
            raise StoreError("the disk is full")

    return WireVenue(sound.exchange, sound.clock, save=save)


def test_an_address_that_is_not_ours_is_refused_to_whoever_waits() -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        ExchangeThread(make_wired().venue, "203.0.113.1")


def test_what_breaks_the_exchange_is_raised_at_its_end() -> None:
    serving = ExchangeThread(breaking(), "127.0.0.1")
    serving._thread._thread.join(PATIENCE_SECONDS)
    with pytest.raises(StoreError, match="the disk is full"):
        serving.close()
    with pytest.raises(RuntimeError, match="this local Aster has ended"):
        serving.ask(int)


def test_what_an_act_raises_is_raised_to_whoever_asked() -> None:
    serving = ExchangeThread(make_wired().venue, "127.0.0.1")
    with pytest.raises(ZeroDivisionError):
        serving.ask(lambda: 1 // 0)
    assert serving.ask(lambda: 7) == 7
    serving.close()
    serving.close()
