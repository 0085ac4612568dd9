"""Findings of ``doctor`` about the credentials, computed from the exchange's replies. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from hedgerow.aster import Credentials
from hedgerow.aster.schema.account_rows import AgentRow
from hedgerow.domain.errors import VenueError
from hedgerow.domain.formats import utc_minute

__all__ = ["WHERE", "DoctorFinding", "Severity", "agent_findings", "expiry_of", "refused"]

WHERE = "www.asterdex.com/en/api-wallet (tab Pro API)"
EXPIRES_SOON = timedelta(days=7)


class Severity(StrEnum):
    """Severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class DoctorFinding(Struct, frozen=True, kw_only=True, rename={"fix": "mend"}):
    """One thing that was checked."""

    subject: str
    level: Severity
    text: str
    fix: str = ""
    """What to do about it."""

    @property
    def line(self) -> str:
        """Finding and fix in one line."""
        return f"{self.subject}: {self.text}{f' - {self.fix}' if self.fix else ''}"


def refused(error: VenueError, credentials: Credentials) -> DoctorFinding:
    """Return what a refusal of signed requests means, as far as the exchange says."""
    reply = str(error).lower()
    if "no agent found" in reply:
        text = (
            f"the exchange has no agent {credentials.signer} for account {credentials.user}: not approved, or expired"
        )
        fix = f"approve it at {WHERE}, or put its address and key into API_SIGNER and API_PRIVATE_KEY"
    elif "signature" in reply or "-1022" in reply:
        text = "the exchange refuses the signature"
        fix = "check API_PRIVATE_KEY, and that HEDGEROW_CHAIN_ID fits the host (1666 mainnet, 714 testnet)"
    elif "nonce" in reply or "-1021" in reply:
        text, fix = (
            "the exchange finds our requests too old or too new",
            "set this machine's clock, by NTP for example",
        )
    elif "deposit" in reply:
        text, fix = f"account {credentials.user} never had a deposit", "deposit USDT on the exchange first"
    else:
        text, fix = f"the exchange refuses these credentials ({error})", f"check permissions and IP list at {WHERE}"
    return DoctorFinding(subject="key", level=Severity.PROBLEM, text=text, fix=fix)


def expiry_of(rows: tuple[AgentRow, ...], credentials: Credentials) -> datetime | None:
    """Return when the agent expires; None = never, or it is not listed."""
    row = next((row for row in rows if row.agent_address.lower() == credentials.signer.lower()), None)
    return row.expires_at if row else None


def agent_findings(rows: tuple[AgentRow, ...], credentials: Credentials, now: datetime) -> tuple[DoctorFinding, ...]:
    """Judge what the agent may do, and for how long."""
    row = next((row for row in rows if row.agent_address.lower() == credentials.signer.lower()), None)
    if row is None:
        return (_unlisted(credentials),)
    found = [finding for finding in (_trading(row), _withdrawing(row), _expiry(row, now)) if finding]
    if any(finding.level is Severity.PROBLEM for finding in found):
        return tuple(found)
    until = f"until {row.expires_at:%Y-%m-%d}" if row.expires_at else "without end"
    named = f"agent {credentials.signer} may trade spot and perpetuals, {until}"
    return (DoctorFinding(subject="key", level=Severity.OK, text=named), *found)


def _unlisted(credentials: Credentials) -> DoctorFinding:
    if credentials.signer.lower() == credentials.user.lower():
        return DoctorFinding(
            subject="key",
            level=Severity.WARNING,
            text="requests are signed with the main wallet's own key, which may withdraw everything",
            fix=f"create an agent without the right to withdraw at {WHERE}",
        )
    return DoctorFinding(
        subject="key",
        level=Severity.WARNING,
        text=f"the exchange accepts agent {credentials.signer} and does not list it: its rights cannot be seen",
        fix=f"look it up at {WHERE}",
    )


def _trading(row: AgentRow) -> DoctorFinding | None:
    lacking = [name for name, may in (("spot", row.can_spot_trade), ("perpetuals", row.can_perp_trade)) if not may]
    if not lacking:
        return None
    return DoctorFinding(
        subject="key",
        level=Severity.PROBLEM,
        text=f"agent {row.agent_address} may not trade {' and '.join(lacking)}",
        fix=f"permit it at {WHERE}",
    )


def _withdrawing(row: AgentRow) -> DoctorFinding | None:
    if not row.can_withdraw:
        return None
    return DoctorFinding(
        subject="key",
        level=Severity.WARNING,
        text=f"agent {row.agent_address} may withdraw: a stolen key can take the money",
        fix=f"remove that right at {WHERE}; the bot does not need it",
    )


def _expiry(row: AgentRow, now: datetime) -> DoctorFinding | None:
    until = row.expires_at
    if until is None:
        return None
    if until > now + EXPIRES_SOON:
        return None
    text = f"agent {row.agent_address} {'expired' if until <= now else 'expires'} at {utc_minute(until)} UTC"
    level = Severity.PROBLEM if until <= now else Severity.WARNING
    return DoctorFinding(subject="key", level=level, text=text, fix=f"renew it at {WHERE}")
