"""Keys, clocks and modes that do not fit: ``run`` and ``doctor`` say each in one clear line, and nothing is traded."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from hedgerow.testing import LocalAster, local_aster
from support.command_runner import EAGER, Shell, write_config

Problem = Callable[[LocalAster, pytest.MonkeyPatch], None]


class Case(Struct, frozen=True):
    """One problem, and what is printed about it."""

    cause: Problem
    run: str
    doctor: str
    refused: bool = False
    """Whether ``run`` stops before it trades."""
    level: str = "problem"
    trades: bool = False


def foreign_key(_: LocalAster, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("API_PRIVATE_KEY", f"0x{9:064x}")


def unknown_agent(aster: LocalAster, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("API_PRIVATE_KEY", aster.accounts[1].private_key)
    patch.setenv("API_SIGNER", aster.accounts[1].signer)


def permit(**rights: Any) -> Problem:
    return lambda aster, _: aster.permit(**rights)


def expired(aster: LocalAster, _: pytest.MonkeyPatch) -> None:
    aster.permit(expires_at=aster.now - timedelta(days=1))


def mode(*, one_way: bool = True, single_asset: bool = True) -> Problem:
    return lambda aster, _: aster.set_modes(one_way=one_way, single_asset=single_asset)


CASES = {
    "wrong key": Case(foreign_key, "API_SIGNER does not belong to", "API_SIGNER does not belong to", refused=True),
    "unknown agent": Case(unknown_agent, "the exchange has no agent 0x", "the exchange has no agent 0x", refused=True),
    "expired agent": Case(expired, "not approved, or expired", "not approved, or expired", refused=True),
    "no spot": Case(permit(can_spot_trade=False), "may not trade spot", "may not trade spot", refused=True),
    "no perpetuals": Case(
        permit(can_perp_trade=False), "may not trade perpetuals", "may not trade perpetuals", refused=True
    ),
    "other address": Case(
        permit(ip_whitelist=("10.0.0.1",)), "check permissions and IP list", "refuses these credentials", refused=True
    ),
    "withdrawing agent": Case(
        permit(can_withdraw=True), "may withdraw: a stolen key", "may withdraw", level="warning", trades=True
    ),
    "clock behind": Case(
        lambda aster, _: aster.skew_clock(20),
        "s behind the exchange's - set this",
        "s behind the exchange's",
        trades=True,
    ),
    "clock ahead": Case(
        lambda aster, _: aster.skew_clock(-20),
        "s ahead of the exchange's - set",
        "s ahead of the exchange's",
        trades=True,
    ),
    "hedge mode": Case(
        mode(one_way=False), "hedge mode is on; one-way position mode is needed", "hedge mode: nothing is"
    ),
    "multi-assets mode": Case(
        mode(single_asset=False),
        "multi-assets mode is on; single-asset mode is needed",
        "multi-assets mode: nothing is",
    ),
}


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[LocalAster]:
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    with local_aster(start=None, check_nonces=True) as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        yield served


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_run_says_it_in_one_line(
    exchange: LocalAster, shell: Shell, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    case.cause(exchange, monkeypatch)
    if case.refused:
        assert case.run in shell.refused("run", "--once")
    else:
        said = shell("run", "--once")
        assert (said.code, said.err) == (0, "")
        assert len([line for line in said.out.splitlines() if case.run in line]) == 1, said.out
    assert bool(exchange.trades()) is case.trades


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_doctor_says_it_in_one_line_with_its_remedy(
    exchange: LocalAster, shell: Shell, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    case.cause(exchange, monkeypatch)
    said = shell("doctor", "--json", "-")
    assert said.code == (1 if case.level == "problem" else 0)
    (found,) = (row for row in said.document if case.doctor in row["text"])
    assert (found["level"], bool(found["mend"]), "\n" in found["text"]) == (case.level, True, False)
    assert exchange.trades() == ()
