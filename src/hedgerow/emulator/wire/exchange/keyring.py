"""Keys of the exchange: agents, V1 keys, and the nonces that they used."""

from datetime import datetime

from hedgerow.emulator.wire.exchange.main_wallets import account_name
from hedgerow.emulator.wire.exchange.state import ExchangeState
from hedgerow.emulator.wire.protocol.credentials import Agent, ApiKey, NonceWindow

__all__ = ["Keyring"]


class Keyring:
    """The signers of all accounts; their owner knows which accounts are open."""

    def __init__(self, state: ExchangeState) -> None:
        self.agents: dict[str, tuple[Agent, ...]] = dict(state.agents)
        self.keys: dict[str, tuple[ApiKey, ...]] = dict(state.keys)
        self.revision = 0
        self._nonces = {signer: NonceWindow(used) for signer, used in state.nonces.items()}

    @property
    def nonces(self) -> dict[str, tuple[int, ...]]:
        """The nonces that are remembered, by signer."""
        return {signer: window.used for signer, window in self._nonces.items()}

    def is_open(self, user: str) -> bool:
        """Return whether an account of that name is open."""
        return user in self.agents

    def permit(self, user: str, agent: Agent) -> None:
        """Let an agent sign for an account; an agent it had under that address is replaced."""
        others = tuple(
            known for known in self.agents.get(account_name(user), ()) if known.signer != agent.signer.lower()
        )
        self.agents[account_name(user)] = (*others, agent)
        self.changed()

    def dismiss(self, user: str, signer: str) -> bool:
        """Take an agent's permission away; returns whether it had one."""
        kept = tuple(known for known in self.agents.get(user, ()) if known.signer != signer.lower())
        gone = len(kept) < len(self.agents.get(user, ()))
        self.agents[user] = kept
        self.changed()
        return gone

    def owner_of(self, signer: str) -> tuple[str, Agent] | None:
        """Return the account that a signer signs for; a main wallet signs for itself."""
        for user, agents in self.agents.items():
            for agent in agents:
                if agent.signer == signer.lower():
                    return user, agent
        if self.is_open(signer.lower()):
            return signer.lower(), Agent(signer=signer.lower(), name="main", can_withdraw=True)
        return None

    def key_of(self, key: str) -> tuple[str, ApiKey] | None:
        """Return the account and the secret of an old key."""
        return next(((user, each) for user, keys in self.keys.items() for each in keys if each.key == key), None)

    def add_key(self, user: str, key: ApiKey) -> None:
        """Give an account a key of the old kind."""
        name = account_name(user)
        self.keys[name] = (*self.keys.get(name, ()), key)
        self.changed()

    def take_nonce(self, signer: str, nonce: int, now: datetime, window_seconds: float | None) -> None:
        """Take a nonce.

        Raises:
            WireError: it cannot be used (-4225).
        """
        self._nonces.setdefault(signer.lower(), NonceWindow()).burn(nonce, now, window_seconds)
        self.changed()

    def used_nonce(self, signer: str, nonce: int) -> bool:
        """Return whether a signer's nonce is remembered as used."""
        window = self._nonces.get(signer.lower())
        return window is not None and nonce in window.used

    def changed(self) -> None:
        """Note that something shared changed."""
        self.revision += 1
