"""Waits for the answer of a running bot to a request that was left for it."""

from hedgerow.app.storage.parts import RequestBox
from hedgerow.domain.operator_requests import Answer, OperatorRequest
from hedgerow.ports import Clock

__all__ = ["GOES_ON", "answer_of"]

LOOK_SECONDS = 0.2
GRACE_SECONDS = 2.0
"""After a request has expired, for the bot's answer."""
BEGUN_SECONDS = 600.0
"""How long a request that the bot has begun is waited for: a closing takes its slices."""
UNWRITTEN = "The bot has handled it, but its answer could not be written: see its log."
GOES_ON = "the bot has begun it and continues: see its log."


async def answer_of(mailbox: RequestBox, request: OperatorRequest, clock: Clock, holder: str) -> Answer:
    """Wait for the answer to a request that was left for the bot; one that no bot takes in time is withdrawn."""
    name, began = request.request_id, clock.monotonic()
    valid = (request.valid_until - request.asked_at).total_seconds()
    while True:
        waits, begun = mailbox.waits(name), mailbox.begun(name)
        answer = mailbox.collect(name)
        if answer is not None:
            return answer
        if not waits and not begun and not mailbox.begun(name):
            return mailbox.collect(name) or Answer(done=False, text=UNWRITTEN)
        waited = clock.monotonic() - began
        if begun and waited > BEGUN_SECONDS:
            return Answer(done=False, text=f"Not answered within {waited:.0f} s: {GOES_ON}")
        if not begun and waited > valid + GRACE_SECONDS and mailbox.withdraw(name):
            text = f"No bot took it within {valid:.0f} s: withdrawn, nothing was done ({holder})."
            return Answer(done=False, text=text)
        await clock.sleep(LOOK_SECONDS)
