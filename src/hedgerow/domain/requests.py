"""What a person may ask of a bot while it runs; the bot carries it out between two cycles and answers."""

from typing import TypeAlias

from msgspec import Struct

__all__ = ["AdoptRequested", "Answer", "CloseRequested", "HaltRequested", "Request", "ResumeRequested"]


class CloseRequested(Struct, frozen=True, kw_only=True, tag="close"):
    """Close the position, whatever the policy thinks, and halt openings."""

    symbol: str | None = None
    """Only if this is what is held."""
    take_over: bool = False
    """Whether a position on ``symbol`` that only the exchange knows is adopted first, as ``adopt`` would."""


class AdoptRequested(Struct, frozen=True, kw_only=True, tag="adopt"):
    """Take a position found on the venue into the ledger."""

    symbol: str


class HaltRequested(Struct, frozen=True, kw_only=True, tag="halt"):
    """Block openings until resumed."""

    detail: str = ""


class ResumeRequested(Struct, frozen=True, kw_only=True, tag="resume"):
    """Allow openings again."""


Request: TypeAlias = CloseRequested | AdoptRequested | HaltRequested | ResumeRequested


class Answer(Struct, frozen=True, kw_only=True):
    """How a request ended."""

    done: bool
    text: str
