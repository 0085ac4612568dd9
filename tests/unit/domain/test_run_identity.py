"""Which bot a command or a log is about, in values."""

from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.run_identity import RunIdentity, RunMode, shortened

LIVE = RunIdentity(
    mode=RunMode.LIVE,
    network="mainnet",
    account="0x1234...cdef",
    home="/home/bot",
    config_file="/home/bot/config.json",
    version="1.0",
    capital_fraction=Decimal("0.95"),
    max_capital_usd=None,
)


def test_an_account_is_recognised_by_its_ends_and_never_shown_whole() -> None:
    assert shortened("0x1234567890abcdef1234567890abcdef12345678") == "0x1234...5678"
    assert shortened("0x12345678") == "0x12345678"


def test_a_missing_cap_is_said_and_not_left_out() -> None:
    assert LIVE.cap_text == "none, up to 95% of the smaller wallet a leg"


def test_a_cap_is_named_with_what_it_covers() -> None:
    capped = replace(LIVE, max_capital_usd=Decimal(1500))

    assert capped.cap_text == "$1,500.00 for both legs together, at most 95% of the smaller wallet a leg"


def test_no_configuration_file_means_the_guides_defaults() -> None:
    assert LIVE.config_text == "/home/bot/config.json"
    assert replace(LIVE, config_file=None).config_text == "none, the guide's defaults"
    assert replace(LIVE, config_file=None, preset="patient").config_text == "none, the preset patient"
