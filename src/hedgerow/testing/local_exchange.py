"""``LocalAster``: an exchange of a test's own, what a test can do to it and see of it."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from hedgerow.app.commands.emulator_server import EmulatorPlan
from hedgerow.domain.account import PerpPosition
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import Fill
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.markets.universe import Universe
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.main_wallets import account_name
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.rest.faults import MessageFaultKind
from hedgerow.emulator.wire.rest.mutations import Mutation
from hedgerow.testing.accounts import AsterAccount, account_of, numbered_accounts
from hedgerow.testing.endpoint import HOST, AsterHandle, MarketName, Money, as_text
from hedgerow.testing.records import Balances, SeenOrder, balances_of, order_of

__all__ = ["START", "LocalAster", "local_aster"]

START = datetime(2025, 1, 1, 0, 2, tzinfo=UTC)
"""Where a local exchange's time begins unless given: the market is then the same in every run."""
SMALL_MARKET = 6
SideName: TypeAlias = Literal["BUY", "SELL"]


class LocalAster(AsterHandle):
    """A local Aster. Every method may be called from sync and async tests alike: it returns when it is done.

    Without ``user`` a command is about the first account.
    """

    # Accounts

    def open_account(
        self,
        *,
        spot: Mapping[str, Money] | None = None,
        perp: Money = 0,
        private_key: str | int | None = None,
        user: str | None = None,
    ) -> AsterAccount:
        """Open another account with these balances.

        Args:
            spot: what its spot wallet holds, by asset.
            perp: USDT of its perpetual wallet.
            private_key: key of its agent; None = the next number.
            user: its main wallet, an EVM address or a Solana one; None = the agent's own address.
        """
        key = len(self.accounts) + 1 if private_key is None else private_key
        account = account_of(key, user)
        held = {asset: as_text(amount) for asset, amount in (spot or {}).items()}
        agent, old = {"signer": account.signer}, {"key": account.api_key, "secret": account.api_secret}
        self._admin("POST", "account", user=account.user, spot=held, perp=as_text(perp), agents=[agent], keys=[old])
        self.accounts = (*self.accounts, account)
        return account

    def permit(self, *, user: str | None = None, **rights: Any) -> None:
        """Replace what an account's agent may do; what is not named is allowed, except withdrawing.

        Args:
            user: main wallet of the account.
            rights: ``can_spot_trade``, ``can_perp_trade``, ``can_withdraw``, ``expires_at``, ``ip_whitelist``.
        """
        account = self._account(user)
        agent = Agent(signer=account.signer.lower(), **rights)
        self._serving.ask(lambda: self._venue.exchange.permit(account.user, agent))

    def set_modes(
        self, *, one_way: bool | None = None, single_asset: bool | None = None, user: str | None = None
    ) -> None:
        """Switch an account between one-way and hedge mode, single-asset and multi-assets mode."""
        world = self._exchange_account(user).world
        self._serving.ask(lambda: world.set_modes(one_way=one_way, single_asset=single_asset))

    def fund(self, amount: Money, asset: str = "USDT", *, wallet: MarketName = "spot", user: str | None = None) -> None:
        """Put money or coins into a wallet; negative = take out."""
        account = self._account(user)
        self._admin("POST", "fund", user=account.user, wallet=wallet, asset=asset, amount=as_text(amount))

    def trade(
        self,
        symbol: str,
        side: SideName,
        quantity: Money,
        *,
        market: MarketName = "perp",
        reduce_only: bool = False,
        user: str | None = None,
    ) -> None:
        """Trade at the market without the bot, as the owner of the account would on the venue's page."""
        asked = {"symbol": symbol, "side": side, "quantity": as_text(quantity), "reduce_only": reduce_only}
        self._admin("POST", "trade", user=self._account(user).user, market=market, **asked)

    def deleverage(self, symbol: str, quantity: Money, *, user: str | None = None) -> None:
        """Let the venue close a part of a position (ADL)."""
        self._admin("POST", "deleverage", user=self._account(user).user, symbol=symbol, quantity=as_text(quantity))

    def liquidate(self, symbol: str, *, user: str | None = None) -> None:
        """Move the price just past a position's liquidation price; it stays there."""
        self._admin("POST", "liquidate", user=self._account(user).user, symbol=symbol)

    # Faults

    def inject(self, fault: FaultKind | MessageFaultKind | str, **terms: Any) -> None:
        """Set a fault of requests or of stream messages beside those that are set (docs/testing_your_bot.md).

        Args:
            fault: its name, e.g. ``503_after`` or ``lose``; ``rewrite`` with ``stream`` is one of messages.
            terms: what it applies to (``path``, ``method``, ``contains``, ``market``, ``symbol``; of messages
                ``stream``), how often (``nth``, ``times``, ``chance``, ``for_seconds``), and its own values
                (``seconds``, ``code``, ``message``, ``fraction``, ``status``, ``error_shape``, ``mutation``, ...).
        """
        self._admin("POST", "faults", fault=str(fault), **{name: _term(value) for name, value in terms.items()})

    def rewrite(self, mutation: Mutation | str, *, field: str = "", **terms: Any) -> None:
        """Change replies, or with ``stream`` messages, of the exchange: ``inject("rewrite", ...)`` in short.

        Args:
            mutation: what becomes of the field, e.g. ``absent`` or ``nan``.
            field: its path, e.g. ``positions.*.leverage``; empty = the whole reply.
            terms: as for ``inject``.
        """
        self.inject(FaultKind.REWRITE, mutation=str(mutation), field=field, **terms)

    def clear_faults(self) -> None:
        """Forget every fault of requests and messages, and the skew of the clock."""
        self._admin("DELETE", "faults")

    def stop_books(self, seconds: float) -> None:
        """Let the public books stand still, on REST and on streams, while trading goes on."""
        self._admin("POST", "stop-books", seconds=seconds)

    def lag_balances(self, seconds: float) -> None:
        """Show every account's balances and positions over REST as they were so long ago; 0 = as they are."""
        self._admin("POST", "lag", seconds=seconds)

    def skew_clock(self, seconds: float) -> None:
        """Let ``GET time`` be off by so much."""
        self._admin("POST", "skew", seconds=seconds)

    def jitter_funding(self, *, lead_seconds: float = 0.0, delay_seconds: float = 0.0) -> None:
        """Let funding be charged up to so long before or after its stamp."""
        self._admin("POST", "jitter", lead_seconds=lead_seconds, delay_seconds=delay_seconds)

    def limit(self, market: MarketName, **limits: int) -> None:
        """Allow less than the venue does: ``weight_per_minute``, ``orders_per_minute``, ``orders_per_ten_seconds``."""
        self._admin("POST", "limits", market=market, **limits)

    def cut_streams(self) -> int:
        """Close every stream connection from the venue's side; return how many there were."""
        found: int = self._admin("DELETE", "streams")["connections"]
        return found

    def drop_listen_keys(self, *, silent: bool = False) -> int:
        """Let every listen key expire, reported by an event or not; return how many there were."""
        found: int = self._admin("DELETE", "listen-keys", silent=silent)["keys"]
        return found

    # What happened

    def balances(self, user: str | None = None) -> Balances:
        """Return both wallets of an account."""
        exchange_account = self._exchange_account(user)
        return self._serving.ask(lambda: balances_of(exchange_account.world.account()))

    def positions(self, user: str | None = None) -> dict[str, PerpPosition]:
        """Return the open perpetual positions by symbol; a short's quantity is negative."""
        exchange_account = self._exchange_account(user)
        return self._serving.ask(lambda: dict(exchange_account.world.account().positions))

    def orders(
        self, symbol: str | None = None, *, market: MarketName | None = None, user: str | None = None
    ) -> tuple[SeenOrder, ...]:
        """Return every order there ever was, oldest first."""
        exchange_account = self._exchange_account(user)
        markets = tuple(Market) if market is None else (Market(market),)
        found = self._serving.ask(
            lambda: [
                exchange_order
                for each in markets
                for exchange_order in exchange_account.exchange_orders.of(each, symbol)
            ]
        )
        return tuple(
            order_of(exchange_order)
            for exchange_order in sorted(found, key=lambda exchange_order: exchange_order.order_id)
        )

    def trades(
        self, symbol: str | None = None, *, market: MarketName | None = None, user: str | None = None
    ) -> tuple[Fill, ...]:
        """Return every trade of an account with its fee, oldest first."""
        exchange_account = self._exchange_account(user)
        fills = self._serving.ask(lambda: exchange_account.world.parts.journal.state().fills)
        return tuple(f for f in fills if symbol in {None, f.symbol} and market in {None, f.market.value})

    def funding(self, symbol: str | None = None, *, user: str | None = None) -> tuple[FundingPayment, ...]:
        """Return every funding payment, oldest first; positive = received."""
        exchange_account = self._exchange_account(user)
        payments = self._serving.ask(lambda: exchange_account.world.parts.journal.state().payments)
        return tuple(payment for payment in payments if symbol in {None, payment.symbol})

    def _exchange_account(self, user: str | None) -> ExchangeAccount:
        return self._venue.exchange.exchange_accounts[account_name(self._account(user).user)]


@contextmanager
def local_aster(  # noqa: PLR0913 - one parameter per option
    *,
    seed: int = 1,
    pairs: int | None = None,
    universe: str | None = None,
    balance: Money = 1000,
    accounts: int = 2,
    start: datetime | None = START,
    speed: float = 1.0,
    still: bool = True,
    check_nonces: bool = False,
) -> Generator[LocalAster]:
    """Serve a local Aster on two free loopback ports until the block ends, however it ends.

    Args:
        seed: the same seed gives the same market, and the same faults by chance.
        pairs: how many perpetuals are listed; None = 6, all of them on spot too, or as many as the universe has.
        universe: a market of the size and funding intervals of a month: ``2026-09``; None = a small one.
        balance: USDT of each account, half in the spot wallet and half in the perpetual one.
        accounts: how many; their agents' private keys are the numbers 1, 2, ...
        start: where the exchange's time begins; None = now, at which prices differ from run to run.
        speed: the exchange's seconds per real one; 0 = time passes only by ``advance``, and spot orders match at once.
        still: prices stay where they are until ``set_price``; False = they live.
        check_nonces: whether nonces must be within 60 s of the exchange's time; needs ``start=None`` and ``speed=1``.
    """
    opened = numbered_accounts(accounts)
    plan = EmulatorPlan(
        host=HOST,
        port=0,
        seed=seed,
        pairs=SMALL_MARKET if pairs is None and universe is None else pairs,
        universe=None if universe is None else _universe(universe),
        start=start,
        speed=speed,
        accounts=tuple(account.wired for account in opened),
        balance=Decimal(as_text(balance)),
        still=still,
        any_nonce=not check_nonces,
        spot_delay_seconds=0.02 if speed else 0.0,
    )
    aster = LocalAster(plan, opened)
    try:
        yield aster
    finally:
        aster.close()


def _universe(name: str) -> Universe:
    try:
        return Universe(name)
    except ValueError as error:
        raise ConfigError(f"universe {name}: allowed is {', '.join(Universe)}") from error


def _term(value: Any) -> Any:
    return as_text(value) if isinstance(value, Decimal) else value
