"""Transfers, leverage and margin type: one request each, the reply as an event. "Already set" is a success."""

from hedgerow.aster.account.nonce_reservations import Reservations
from hedgerow.aster.account.own_activity import OwnActivity
from hedgerow.aster.client import AsterClient
from hedgerow.aster.http.error_codes import MARGIN_TYPE_UNCHANGED, TIMEOUT, TRANSFER_ID_DUPLICATE
from hedgerow.aster.rules import is_before_execution
from hedgerow.aster.schema.account_rows import TransferReply
from hedgerow.domain.commands import ArmDeadMan, SetLeverage, SetMarginType, TransferFunds
from hedgerow.domain.errors import OutcomeUnknown, Rejected, VenueError
from hedgerow.domain.events import (
    CommandRefused,
    DeadManArmed,
    Event,
    FundsTransferred,
    LeverageSet,
    MarginTypeSet,
    TransferOutcomeUnknown,
)
from hedgerow.domain.instrument import Market
from hedgerow.ports import Clock

__all__ = ["AccountCommands"]


class AccountCommands:
    """Commands to the account other than orders."""

    def __init__(self, client: AsterClient, clock: Clock, own: OwnActivity, *, reservations: Reservations) -> None:
        self._client = client
        self._clock = clock
        self._own = own
        self._reservations = reservations

    async def transfer(self, command: TransferFunds) -> tuple[Event, ...]:
        """Move funds; an id that was used before means that it happened (-4115).

        Before a repeat, the first request is made worthless, as far as the venue does so: the refusal of a repeat says
        nothing of the first one until its nonce is dead.
        """
        self._own.transferring(command.transfer_id, self._clock.now())
        repeated = self._own.sent(command.transfer_id) is not None
        pending = repeated and not self._reservations.is_dead(command.transfer_id)
        if repeated:
            await self._reservations.burn(Market.PERP, command.transfer_id)
        try:
            reply = await self._sent(command)
            if reply.status != "SUCCESS":
                return (self._transfer_unknown(command, f"the exchange calls the transfer {reply.status!r}"),)
        except OutcomeUnknown as unknown:
            return (self._transfer_unknown(command, str(unknown)),)
        except VenueError as error:
            if _code(error) != TRANSFER_ID_DUPLICATE:
                # The refusal is of this request; one that was sent before it may still be carried out.
                return (self._transfer_unknown(command, str(error)) if pending else self._refused(command, error),)
        now = self._clock.now()
        self._own.transferred(command, now)
        return (
            FundsTransferred(
                at=now,
                transfer_id=command.transfer_id,
                amount=command.amount,
                direction=command.direction,
                asset=command.asset,
            ),
        )

    async def _sent(self, command: TransferFunds) -> TransferReply:
        return await self._client.transfer(
            command,
            nonce=self._reservations.take(command.transfer_id),
            on_signed=lambda nonce: self._own.sending(command.transfer_id, self._clock.now(), nonce),
        )

    async def leverage(self, command: SetLeverage) -> tuple[Event, ...]:
        """Set the leverage of a perpetual."""
        try:
            confirmed = await self._client.set_leverage(command.symbol, command.leverage)
        except VenueError as error:
            return (self._refused(command, error),)
        return (LeverageSet(at=self._clock.now(), symbol=command.symbol, leverage=confirmed),)

    async def margin_type(self, command: SetMarginType) -> tuple[Event, ...]:
        """Switch a perpetual to CROSSED margin."""
        try:
            await self._client.set_crossed(command.symbol)
        except VenueError as error:
            if _code(error) != MARGIN_TYPE_UNCHANGED:
                return (self._refused(command, error),)
        return (MarginTypeSet(at=self._clock.now(), symbol=command.symbol),)

    async def dead_man(self, command: ArmDeadMan) -> tuple[Event, ...]:
        """Set the dead man's switch of a perpetual, or stop it."""
        try:
            await self._client.arm_dead_man(command.symbol, command.seconds)
        except VenueError as error:
            return (self._refused(command, error),)
        return (DeadManArmed(at=self._clock.now(), symbol=command.symbol, seconds=command.seconds),)

    def _refused(
        self, command: TransferFunds | SetLeverage | SetMarginType | ArmDeadMan, error: VenueError
    ) -> CommandRefused:
        code = _code(error)
        return CommandRefused(
            at=self._clock.now(),
            command=command,
            code=code,
            detail=str(error),
            before_execution=is_before_execution(code),
        )

    def _transfer_unknown(self, command: TransferFunds, detail: str) -> TransferOutcomeUnknown:
        return TransferOutcomeUnknown(at=self._clock.now(), transfer_id=command.transfer_id, detail=detail)


def _code(error: VenueError) -> int:
    return error.code if isinstance(error, Rejected) else TIMEOUT
