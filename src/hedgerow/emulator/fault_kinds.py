"""What may become of a request: one word for one fault, whichever transport carries it.

Faults of the in-process venue (``inprocess.faults``) and of the wire (``wire.rest.faults``) name their kind in
the field ``fault``. ``IN_PROCESS`` and ``ON_THE_WIRE`` say which transport knows which kind.
"""

from enum import StrEnum

__all__ = ["IN_PROCESS", "OF_COMMANDS", "OF_READS", "OF_THE_VENUE", "ON_THE_WIRE", "FaultKind"]


class FaultKind(StrEnum):
    """What becomes of a request."""

    HTML_500 = "html_500"
    """An HTML page instead of JSON; nothing is executed."""
    UNAVAILABLE_BEFORE = "503_before"
    """503, and nothing was executed."""
    UNAVAILABLE_AFTER = "503_after"
    """503, although it was executed."""
    SILENT_BEFORE = "silent_before"
    """No answer, and nothing is executed."""
    SILENT_AFTER = "silent_after"
    """Executed, and no answer."""
    CUT_BEFORE = "cut_before"
    """The connection is dropped at once, and nothing is executed."""
    CUT_AFTER = "cut_after"
    """Executed, and the connection is dropped at once."""
    LATE = "late"
    """No answer; it is executed ``seconds`` later, unless its nonce is dead by then."""
    NONCE_EXPIRED = "nonce_expired"
    """Refused for its nonce: -4225."""
    REJECT = "reject"
    """Refused with ``code`` and ``message``, ``status`` (400) and a body of the shape ``error_shape``."""
    REJECT_AFTER = "reject_after"
    """The same answer, although it was executed."""
    PAGE_BEFORE = "page_before"
    """A web page with ``status`` (403), with ``location`` where it is a redirect; nothing is executed."""
    PAGE_AFTER = "page_after"
    """The same page, although it was executed."""
    REWRITE = "rewrite"
    """Executed; the reply is changed by ``mutation``, in ``field``, for ``symbol``."""
    LATE_ROWS = "late_rows"
    """Executed; rows of a list (funding rates, income, trades) younger than ``seconds`` are not in it yet."""
    IDLE_NOOP = "idle_noop"
    """A ``noop`` answers success and leaves its nonce usable: what it should have killed is executed later."""
    RATE_LIMITED = "429"
    """Too much weight: -1003, with ``Retry-After``."""
    ORDER_LIMIT = "429_orders"
    """Too many orders: -1015, without ``Retry-After``."""
    BANNED = "418"
    """The address is banned: ``Retry-After`` says for how long, ``seconds`` or what is left of the fault's span."""
    SLOW = "slow"
    """Answered ``seconds`` later."""
    NULL_FUNDING = "null_funding"
    """Interval, cap and floor of funding are null."""
    ABSORB = "absorb"
    """Orders are acknowledged, and matching gives them nothing."""
    PARTIAL = "partial"
    """Orders fill at most ``fraction`` of their quantity, and then nothing."""
    NOT_SENT = "not_sent"
    """Never left: certainly not executed."""
    REPEATED = "repeated"
    """Executed once, and reported twice."""
    UNAUTHORIZED = "unauthorized"
    """The key is not permitted; on the wire this is ``REJECT`` with -2015."""
    SIGNED_READS = "signed_reads"
    """Every read of the account is answered with a web page of HTTP 500; commands go."""
    OVERLOADED = "overloaded"
    """Every other request fails: reads are refused, commands lost before or after they were executed, or refused."""


OF_COMMANDS = (
    FaultKind.REJECT,
    FaultKind.NOT_SENT,
    FaultKind.SILENT_BEFORE,
    FaultKind.SILENT_AFTER,
    FaultKind.PARTIAL,
    FaultKind.ABSORB,
    FaultKind.LATE,
    FaultKind.REPEATED,
)
"""Of a command to the in-process venue (``SubmitFault``)."""
OF_READS = (FaultKind.SILENT_BEFORE, FaultKind.RATE_LIMITED, FaultKind.UNAUTHORIZED)
"""Of a read of the in-process venue (``ReadFault``)."""
OF_THE_VENUE = (
    FaultKind.BANNED,
    FaultKind.ORDER_LIMIT,
    FaultKind.SIGNED_READS,
    FaultKind.NONCE_EXPIRED,
    FaultKind.OVERLOADED,
)
"""Of the whole in-process venue for a while (``VenueFault``)."""
IN_PROCESS = frozenset({*OF_COMMANDS, *OF_READS, *OF_THE_VENUE})
"""What the in-process venue can do."""
_IN_PROCESS_ALONE = {
    FaultKind.NOT_SENT,
    FaultKind.REPEATED,
    FaultKind.UNAUTHORIZED,
    FaultKind.SIGNED_READS,
    FaultKind.OVERLOADED,
}
ON_THE_WIRE = tuple(kind for kind in FaultKind if kind not in _IN_PROCESS_ALONE)
"""What the wire can do (``RequestFault``)."""
