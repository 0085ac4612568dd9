"""Aster's error codes as exceptions (docs/aster-api.md 9)."""

from enum import IntEnum

from hedgerow.domain.errors import (
    FilterViolated,
    InsufficientBalance,
    MarketClosed,
    OrderNotFound,
    ReduceOnlyRejected,
    Rejected,
)
from hedgerow.domain.order import RejectKind

__all__ = ["Code", "is_before_execution", "reject_kind", "rejected"]

ACCOUNT_CODES = -2000
"""Codes above it are about the request, codes below it about the account (docs/aster-api.md 9)."""
KEY_CODES = frozenset({-2014, -2015})
"""Codes of a key, an address, a right or a nonce that is refused: nothing else of the request is looked at."""


class Code(IntEnum):
    """The codes that this venue answers with."""

    UNKNOWN = -1000
    TIMEOUT = -1007
    NOT_REQUIRED = -1106
    BAD_PRECISION = -1111
    NO_DEPTH = -1112
    BAD_SYMBOL = -1121
    NEW_ORDER_REJECTED = -2010
    CANCEL_REJECTED = -2011
    NO_SUCH_ORDER = -2013
    KEY_PERMISSION = -2015
    BALANCE_INSUFFICIENT = -2018
    MARGIN_INSUFFICIENT = -2019
    REDUCE_ONLY_REJECTED = -2022
    POSITION_TOO_LARGE = -2027
    MIN_LEVERAGE = -2028
    PRICE_NOT_POSITIVE = -4001
    QUANTITY_BELOW_MINIMUM = -4004
    QUANTITY_ABOVE_MAXIMUM = -4005
    PRICE_OFF_TICK = -4014
    PRICE_TOO_HIGH = -4016
    QUANTITY_OFF_STEP = -4023
    PRICE_TOO_LOW = -4024
    BAD_LEVERAGE = -4028
    MARGIN_TYPE_UNCHANGED = -4046
    MARGIN_TYPE_OPEN_ORDERS = -4047
    MARGIN_TYPE_POSITION = -4048
    CROSS_BALANCE_INSUFFICIENT = -4050
    AMOUNT_NOT_POSITIVE = -4055
    POSITION_SIDE_MISMATCH = -4061
    TRANSFER_ID_INVALID = -4114
    TRANSFER_ID_DUPLICATE = -4115
    MARKET_ORDER_OUT_OF_BOUND = -4131
    SYMBOL_NOT_OPEN = -4140
    SYMBOL_CLOSED = -4141
    NOTIONAL_TOO_SMALL = -4164


_PRICE = {Code.PRICE_TOO_HIGH, Code.PRICE_TOO_LOW, Code.MARKET_ORDER_OUT_OF_BOUND, Code.NO_DEPTH}
_MARGIN = {
    Code.BALANCE_INSUFFICIENT,
    Code.MARGIN_INSUFFICIENT,
    Code.CROSS_BALANCE_INSUFFICIENT,
    Code.POSITION_TOO_LARGE,
    Code.MIN_LEVERAGE,
}
_FILTER = {
    Code.BAD_PRECISION,
    Code.PRICE_NOT_POSITIVE,
    Code.QUANTITY_BELOW_MINIMUM,
    Code.QUANTITY_ABOVE_MAXIMUM,
    Code.PRICE_OFF_TICK,
    Code.QUANTITY_OFF_STEP,
    Code.NOTIONAL_TOO_SMALL,
}
_CLOSED = {Code.SYMBOL_NOT_OPEN, Code.SYMBOL_CLOSED, Code.BAD_SYMBOL}

_KINDS: dict[int, RejectKind] = {
    **dict.fromkeys(_PRICE, RejectKind.PRICE),
    **dict.fromkeys(_MARGIN, RejectKind.MARGIN),
    **dict.fromkeys(_FILTER, RejectKind.FILTER),
    **dict.fromkeys(_CLOSED, RejectKind.PERMISSION),
    Code.KEY_PERMISSION: RejectKind.PERMISSION,
    Code.POSITION_SIDE_MISMATCH: RejectKind.PERMISSION,
    Code.REDUCE_ONLY_REJECTED: RejectKind.REDUCE_ONLY,
}
_ERRORS: dict[int, type[Rejected]] = {
    **dict.fromkeys(_PRICE | _FILTER, FilterViolated),
    **dict.fromkeys(_MARGIN, InsufficientBalance),
    **dict.fromkeys(_CLOSED, MarketClosed),
    Code.NO_SUCH_ORDER: OrderNotFound,
    Code.CANCEL_REJECTED: OrderNotFound,
    Code.REDUCE_ONLY_REJECTED: ReduceOnlyRejected,
}


def rejected(code: int, detail: str) -> Rejected:
    """Return the exception for a code, to be raised."""
    return _ERRORS.get(code, Rejected)(detail, code)


def reject_kind(code: int) -> RejectKind:
    """Return what a code asks of the sender of an order."""
    return _KINDS.get(code, RejectKind.OTHER)


def is_before_execution(code: int) -> bool:
    """Whether a code refuses the request itself, before anything of the account was looked at."""
    return code > ACCOUNT_CODES or code in KEY_CODES
