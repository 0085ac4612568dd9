"""Answers questions about a running bot from what it reads now: nothing is traded, written or logged."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.operator_requests import Answer, ClosingPriced, SettingsForeseen
from hedgerow.domain.position import HedgedPosition
from hedgerow.engine.in_force import PolicyInForce, SettingsKeeper
from hedgerow.engine.journal import Journal
from hedgerow.engine.observation import read_books
from hedgerow.engine.observation_reader import ObservationReader
from hedgerow.ports import Venue
from hedgerow.strategy.closing_price import ClosingPrice, ClosingPrices
from hedgerow.strategy.decisions.held import evaluation_of
from hedgerow.strategy.next_payment import next_payment_of
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.settings_changes import foresee_settings, refusal_of_changes
from hedgerow.tasks import all_of

__all__ = ["NO_SETTINGS", "Questions"]

NO_SETTINGS = "The settings of this bot cannot be changed while it runs: it was not started with a configuration file."
BY_BOOKS_OF_NOW = "By the books as they are now."


class Questions:
    """Answers one question at a time, between two checks."""

    def __init__(
        self,
        *,
        venue: Venue,
        journal: Journal,
        reader: ObservationReader,
        in_force: PolicyInForce,
        settings: SettingsKeeper | None = None,
    ) -> None:
        self._venue = venue
        self._journal = journal
        self._reader = reader
        self._in_force = in_force
        self._settings = settings

    async def answer(self, question: SettingsForeseen | ClosingPriced) -> Answer:
        """Return the answer; what cannot be read is said."""
        try:
            if isinstance(question, ClosingPriced):
                return await (self._price_all() if question.symbol is None else self._price(question.symbol))
            return await self._foresee(dict(question.changes))
        except Exception as error:  # noqa: BLE001 - a question interrupts nothing, whatever a policy makes of it
            return Answer(done=False, text=f"That cannot be said now: {error}")

    async def _price(self, symbol: str) -> Answer:
        held = self._journal.ledger.held(symbol)
        if held is None:
            return Answer(done=False, text=f"{symbol} is not held.")
        seen = await self._reader.read()
        price = await self._price_of(held, seen)
        if isinstance(price, str):
            return Answer(done=False, text=price)
        return Answer(done=True, text=BY_BOOKS_OF_NOW, document=_json(price))

    async def _price_all(self) -> Answer:
        """Price every hedge; those whose books cannot be read are missing in the answer, and named."""
        held = self._journal.ledger.live_hedges
        if not held:
            return Answer(done=False, text="No position is held.")
        seen = await self._reader.read()
        found = await all_of(*(self._price_of(hedge, seen) for hedge in held))
        prices = tuple(price for price in found if not isinstance(price, str))
        unread = " ".join(price for price in found if isinstance(price, str))
        return Answer(done=bool(prices), text=unread or BY_BOOKS_OF_NOW, document=_json(ClosingPrices(prices=prices)))

    async def _price_of(self, held: HedgedPosition, seen: Observation) -> ClosingPrice | str:
        """Return what closing a hedge costs, or why that cannot be said."""
        symbol = held.symbol
        books = await read_books(self._venue, symbol)
        unread = [name for name, book in zip(("spot", "perpetual"), books, strict=True) if book is None]
        if unread or seen.market is None:
            return f"The book of {symbol} could not be read: {', '.join(unread) or 'market'}."
        hedge = seen.as_listed(held)
        return ClosingPrice(
            hedge_id=hedge.hedge_id,
            symbol=symbol,
            at=min(book.at for book in books if book is not None),
            result=evaluation_of(hedge, seen, self._in_force.policy, books).result,
            next_payment=next_payment_of(hedge, seen.market),
        )

    async def _foresee(self, changes: Mapping[str, str]) -> Answer:
        if self._settings is None:
            return Answer(done=False, text=NO_SETTINGS)
        try:
            new = self._settings.prepared(changes, self._in_force.coming)
        except ConfigError as error:
            return Answer(done=False, text=str(error))
        ledger = self._journal.ledger
        refusal = refusal_of_changes(new.changes, ledger)
        if refusal:
            return Answer(done=False, text=refusal)
        seen = await self._reader.read(new.policy)
        foreseen = foresee_settings(new.changes, self._in_force.policy, new.policy, seen, ledger)
        return Answer(done=True, text="By a reading of now.", document=_json(foreseen))


def _json(value: Struct) -> str:
    return msgspec.json.encode(value).decode()
