"""The error tree: whose mistake it is, and whether a retry is safe.

HedgerowError
  ConfigError               a setting is wrong: stop before trading
    AccountBusy             another process trades this account
  VenueError                the venue, or the way to it
    NotSent                 never left us: safe to retry
    OutcomeUnknown          may have executed: resolve, never retry
    RateLimited             asked to slow down: retry after the given seconds
    Unauthorized            signature, agent, permission or clock: stop
    Rejected                the venue said no, with its code
      InsufficientBalance   not enough money for this order or transfer
      FilterViolated        price, quantity or notional off the venue's filters
      OrderNotFound         no such order (may be lag right after placing)
      ReduceOnlyRejected    nothing left to reduce
      MarketClosed          the symbol does not trade now
  StoreError                the event log, and nothing else: corrupt or newer: stop, never guess
    DamagedLog              a part of it is missing or unreadable: a backup, or a fresh log
    LogUnavailable          it cannot be written now: locked by another process, or the disk is full
    NewerLog                written by a newer version: nothing is wrong with it
  MailboxError              the answer to a request cannot be written: said, and trading goes on
  HistoryError              market history is missing or unreadable
  InvariantBroken           our bug: halt openings, keep guarding the position
"""

__all__ = [
    "AccountBusy",
    "ConfigError",
    "DamagedLog",
    "FilterViolated",
    "HedgerowError",
    "HistoryError",
    "InsufficientBalance",
    "InvariantBroken",
    "LogUnavailable",
    "MailboxError",
    "MarketClosed",
    "NewerLog",
    "NotSent",
    "OrderNotFound",
    "OutcomeUnknown",
    "RateLimited",
    "ReduceOnlyRejected",
    "Rejected",
    "StoreError",
    "Unauthorized",
    "VenueError",
]


class HedgerowError(Exception):
    """Anything Hedgerow raises on purpose; its text is one line that a user can act on."""


class ConfigError(HedgerowError):
    """A setting, argument or file is wrong; names the key, its value and what is allowed."""


class AccountBusy(ConfigError):  # noqa: N818 - named after the fact, not after "Error"
    """Another process trades this account; names its process id."""


class VenueError(HedgerowError):
    """The venue, or the way to it, failed."""


class NotSent(VenueError):  # noqa: N818 - as above
    """The request never left us; sending it again is safe."""


class OutcomeUnknown(VenueError):  # noqa: N818 - as above
    """The request may have been executed; resolve by client id, never retry."""


class RateLimited(VenueError):  # noqa: N818 - as above
    """The venue asked us to slow down (429, 418)."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unauthorized(VenueError):  # noqa: N818 - as above
    """Signature, agent, permission or clock was refused; a retry cannot help."""


class Rejected(VenueError):  # noqa: N818 - as above
    """The venue refused with a code; nothing was executed."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class InsufficientBalance(Rejected):
    """Not enough free balance or margin."""


class FilterViolated(Rejected):
    """Price, quantity or notional violates one of the venue's filters."""


class OrderNotFound(Rejected):
    """The venue does not know the order; right after placing this may be lag."""


class ReduceOnlyRejected(Rejected):
    """A reduce-only order found nothing to reduce."""


class MarketClosed(Rejected):
    """The symbol is not open for trading."""


class StoreError(HedgerowError):
    """The event log is corrupt or written by a newer version."""


class LogUnavailable(StoreError):  # noqa: N818 - named after the fact
    """The event log is whole and cannot be written now: another process holds it, or the disk does not take it."""


class MailboxError(HedgerowError):
    """The answer to a person's request cannot be written; the request itself was carried out."""


class DamagedLog(StoreError):  # noqa: N818 - named after the fact
    """The event log cannot be read any more: a part of it is missing or is not what was written."""


class NewerLog(StoreError):  # noqa: N818 - named after the fact
    """The event log is whole and was written by a newer version."""


class HistoryError(HedgerowError):
    """Market history is missing, unreadable or empty for the window asked."""


class InvariantBroken(HedgerowError):  # noqa: N818 - named after the fact
    """A rule that must always hold did not; the fault is ours."""
