"""The policy and its settings in force: exchanged between two checks, never within one."""

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from hedgerow.domain.events import SettingChange
from hedgerow.strategy.policy import Policy

__all__ = ["NewSettings", "PolicyInForce", "SettingsKeeper"]


class NewSettings(Struct, frozen=True, kw_only=True):
    """Settings that were checked as a whole, and the policy built from them."""

    policy: Policy
    changes: tuple[SettingChange, ...]
    """What differs from the settings that the next check would begin with; empty = nothing."""
    write: Callable[[], None]
    """Writes them to the file; raises ``ConfigError`` when it cannot be written, or was changed since."""


class SettingsKeeper(Protocol):
    """What knows the configuration file of a running bot."""

    def prepared(self, wanted: Mapping[str, str], present: Policy) -> NewSettings:
        """Check the file with new values, by full name and spelled as in the file; writes nothing.

        Raises:
            ConfigError: one is not allowed, or the file says something else that is not in force yet.
        """
        ...


class PolicyInForce:
    """The one place that every part of a bot takes its policy from."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        """That of the present check, and of the wait after it: an attribute, because every check reads it often."""
        self._next = policy

    @property
    def coming(self) -> Policy:
        """The policy that the next check begins with."""
        return self._next

    def propose(self, policy: Policy) -> None:
        """Let the next check begin with another policy."""
        self._next = policy

    def renew(self) -> bool:
        """Put what was proposed in force, at the beginning of a check; returns whether that changed anything."""
        changed = self.policy is not self._next
        self.policy = self._next
        return changed
