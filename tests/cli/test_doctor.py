"""``hedgerow doctor`` against a wired exchange on sockets: every problem has one clear line with its fix."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.app.findings.account import fee_coin_finding, ledger_findings, position_findings
from hedgerow.app.findings.keys import Severity
from hedgerow.aster.schema.account_rows import TradeRow
from hedgerow.domain.account import MarginType
from hedgerow.domain.errors import NotSent
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.domain.money import ONE, plain
from hedgerow.strategy.parameters import AdoptMode
from support.command_runner import EAGER, CommandResult, Shell, write_config
from support.local_aster import KEY, SIGNER, USER, LocalAster, key_of, local_aster
from support.toy_venue import new_job
from support.views import account, pair_of, short_of
from support.wire import WireClient


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAster]:
    with local_aster() as exchange:
        for name, value in exchange.variables.items():
            monkeypatch.setenv(name, value)
        trade(exchange)
        yield exchange


def trade(aster: LocalAster) -> None:
    """Let the owner have bought a little, so that the last fee can be seen."""
    pair = aster.venue.exchange.market.pairs[0]
    middle = aster.venue.exchange.market.middle(Market.SPOT, pair.symbol, aster.venue.exchange.now)
    assert middle is not None
    aster.world.trade_by_hand(Market.SPOT, pair.symbol, Side.BUY, pair.spot.ceil_quantity(10 / middle))


def findings(said: CommandResult, level: str) -> dict[str, str]:
    return {row["subject"]: row["text"] for row in said.document if row["level"] == level}


def only_problem(said: CommandResult, level: str = "problem") -> dict[str, Any]:
    """Return the one finding that is not fine; it names its remedy."""
    rows = [row for row in said.document if row["level"] != "ok"]
    assert [row["level"] for row in rows] == [level], rows
    assert rows[0]["mend"]
    assert said.code == (1 if level == "problem" else 0)
    found: dict[str, Any] = rows[0]
    return found


def ask(shell: Shell) -> CommandResult:
    return shell("doctor", "--json", "-")


def test_a_halt_that_lifts_itself_is_distinguished_from_one_that_a_person_lifts() -> None:
    for reason, remedy in (
        (HaltReason.ACCOUNT_IN_DOUBT, "the halt ends by itself once the cause is gone"),
        (HaltReason.BOOKS, "remove the cause, then hedgerow resume"),
    ):
        ledger = Ledger(halt=StandingHalt(since=datetime(2025, 1, 15, tzinfo=UTC), reason=reason, detail="why"))
        assert ledger_findings(ledger)[1].fix == remedy


@pytest.mark.usefixtures("aster")
def test_a_sound_account_has_nothing_to_fix(shell: Shell) -> None:
    said = ask(shell)
    assert said.code == 0
    assert {row["level"] for row in said.document} == {"ok"}
    fine = findings(said, "ok")
    assert SIGNER in fine["key"]
    assert (fine["position mode"], fine["asset mode"]) == ("one-way", "single-asset")
    assert fine["spot account"] == "signed reads work"
    assert "opens " in fine["first check"]
    assert fine["balances"].endswith("500.00 USDT on perpetuals")
    assert fine["fee coin"].startswith("the last trade paid in ")
    assert sum(row["subject"] == "hosts" for row in said.document) == 4


@pytest.mark.usefixtures("aster")
def test_a_proxy_that_does_not_answer_is_named_beside_the_hosts(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_PROXY", "http://name:word@127.0.0.1:1")
    said = ask(shell)
    assert said.code == 1
    hosts = [row for row in said.document if row["subject"] == "hosts"]
    assert all("through the proxy http://127.0.0.1:1: the proxy cannot be used" in row["text"] for row in hosts)
    assert "word" not in said.out


def test_it_speaks_to_people_too(aster: LocalAster, shell: Shell) -> None:
    aster.world.set_modes(one_way=False)
    said = shell("doctor")
    assert said.code == 1
    assert "PROBLEM position mode: hedge mode" in said.out
    assert "choose one-way mode" in said.out
    assert said.out.splitlines()[-1].startswith("1 problem(s), 0 warning(s), ")


def test_nothing_is_changed_and_no_secret_is_said(aster: LocalAster, shell: Shell, place: Path) -> None:
    before = aster.world.dump()
    said = shell("doctor")
    assert KEY not in said.out + said.err
    after = aster.world.dump()
    assert replace(after, now=before.now, last_marks=before.last_marks) == before
    assert [path.name for path in place.iterdir()] == ["locks"]


@pytest.mark.usefixtures("aster")
def test_without_credentials_the_market_is_looked_at_all_the_same(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_USER", "API_SIGNER", "API_PRIVATE_KEY"):
        monkeypatch.delenv(name)
    said = ask(shell)
    problem = only_problem(said)
    assert problem["subject"] == "credentials"
    assert "api-wallet" in problem["mend"]
    assert "the best pair" in findings(said, "ok")["market"]


@pytest.mark.usefixtures("aster")
def test_a_key_that_is_not_the_signers_is_named_before_anything_is_sent(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_PRIVATE_KEY", key_of(7)[0])
    problem = only_problem(ask(shell))
    assert problem["text"].startswith("API_SIGNER does not belong to API_PRIVATE_KEY")
    assert key_of(7)[0] not in problem["text"]


@pytest.mark.usefixtures("aster")
def test_an_agent_that_nobody_approved(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    key, signer = key_of(7)
    monkeypatch.setenv("API_PRIVATE_KEY", key)
    monkeypatch.setenv("API_SIGNER", signer)
    problem = only_problem(ask(shell))
    assert problem["text"] == f"the exchange has no agent {signer} for account {USER}: not approved, or expired"


def test_an_agent_that_expired(aster: LocalAster, shell: Shell) -> None:
    aster.permit(expires_at=aster.in_days(-1))
    assert "expired" in only_problem(ask(shell))["text"]


def test_an_agent_that_expires_soon(aster: LocalAster, shell: Shell) -> None:
    aster.permit(expires_at=aster.in_days(3))
    assert f"agent {SIGNER.lower()} expires at" in only_problem(ask(shell), "warning")["text"]


@pytest.mark.parametrize(("right", "market"), [("can_spot_trade", "spot"), ("can_perp_trade", "perpetuals")])
def test_an_agent_that_may_not_trade(aster: LocalAster, shell: Shell, right: str, market: str) -> None:
    aster.permit(**{right: False})
    assert only_problem(ask(shell))["text"] == f"agent {SIGNER.lower()} may not trade {market}"


def test_an_agent_that_may_withdraw_is_a_warning(aster: LocalAster, shell: Shell) -> None:
    aster.permit(can_withdraw=True)
    assert "may withdraw" in only_problem(ask(shell), "warning")["text"]


@pytest.mark.usefixtures("aster")
def test_a_signature_for_another_chain(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_CHAIN_ID", "714")
    problem = only_problem(ask(shell))
    assert problem["text"] == "the exchange refuses the signature"
    assert "HEDGEROW_CHAIN_ID" in problem["mend"]


@pytest.mark.parametrize(("seconds", "word"), [(20, "behind"), (-20, "ahead of")])
def test_a_clock_twenty_seconds_off(aster: LocalAster, shell: Shell, seconds: float, word: str) -> None:
    aster.venue.faults.skew_seconds = seconds
    problem = only_problem(ask(shell))
    assert problem["subject"] == "clock"
    assert f"s {word} the exchange's" in problem["text"]
    assert float(problem["text"].split()[0]) == pytest.approx(20, abs=1)


def test_hedge_mode_and_multi_assets_mode(aster: LocalAster, shell: Shell) -> None:
    aster.world.set_modes(one_way=False, single_asset=False)
    troubles = findings(ask(shell), "problem")
    assert troubles == {
        "position mode": "hedge mode: nothing is opened",
        "asset mode": "multi-assets mode: nothing is opened",
    }


def test_signed_spot_reads_that_fail_are_never_fine(aster: LocalAster, shell: Shell) -> None:
    aster.fail("/api/v3/account", "html_500")
    troubles = findings(ask(shell), "problem")
    assert troubles["spot account"].startswith("signed reads fail")
    assert troubles["account"].startswith("could not be read")


@pytest.mark.parametrize("path", ["positionSide/dual", "multiAssetsMargin", "/api/v3/userTrades"])
def test_what_cannot_be_read_is_a_problem(aster: LocalAster, shell: Shell, path: str) -> None:
    aster.fail(path, "html_500")
    assert any("could not be read" in text for text in findings(ask(shell), "problem").values())


def test_a_commission_that_cannot_be_read_is_a_warning_that_names_what_is_assumed(
    aster: LocalAster, shell: Shell
) -> None:
    aster.fail("/api/v3/commissionRate", "html_500")
    assert "0.0400% taker is assumed" in only_problem(ask(shell), "warning")["text"]


@pytest.mark.usefixtures("aster")
def test_a_host_that_does_not_answer(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_FUTURES_REST", "http://127.0.0.1:1")
    troubles = [row for row in ask(shell).document if row["level"] == "problem"]
    assert [row["subject"] for row in troubles] == ["hosts", "exchange"]
    assert "futures rest http://127.0.0.1:1" in troubles[0]["text"]


@pytest.mark.usefixtures("aster")
def test_a_stream_host_that_does_not_answer(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_SPOT_USER_WS", "ws://127.0.0.1:1")
    assert "ws://127.0.0.1:1" in only_problem(ask(shell))["text"]


def test_fees_paid_in_another_coin_are_seen_on_the_last_trade() -> None:
    row = TradeRow(
        symbol="AAAUSDT",
        id=1,
        order_id=1,
        side="BUY",
        price=ONE,
        qty=ONE,
        commission=ONE,
        commission_asset="ASTER",
        maker=False,
        time=1_767_600_000_000,
    )
    finding = fee_coin_finding((row,))
    assert finding.level is Severity.WARNING
    assert "ASTER" in finding.text
    assert fee_coin_finding(()).level is Severity.WARNING
    assert fee_coin_finding(NotSent("down")).level is Severity.PROBLEM


def test_a_position_that_is_not_the_bots(aster: LocalAster, shell: Shell) -> None:
    pair = aster.venue.exchange.market.pairs[0]
    aster.world.trade_by_hand(Market.PERP, pair.symbol, Side.SELL, pair.perp.lot * 100)
    problem = only_problem(ask(shell), "warning")
    assert problem["subject"] == "positions"
    assert pair.symbol in problem["text"]
    assert f"hedgerow adopt {pair.symbol}" in problem["mend"]
    assert "the first check halts openings: a short that is not the bot's" in problem["text"]


def hedge_by_hand(aster: LocalAster, *, coins: str = "1") -> str:
    """Open a hedge outside of the bot, with so many coins for each one that is short."""
    market = aster.venue.exchange.market
    pair = market.pairs[0]
    middle = market.middle(Market.SPOT, pair.symbol, aster.venue.exchange.now)
    assert middle is not None
    quantity = pair.perp.floor_quantity(100 / middle)
    bought = pair.gross_spot_for(quantity * Decimal(coins)) - aster.world.account().coin(pair.base).total
    aster.world.trade_by_hand(Market.SPOT, pair.symbol, Side.BUY, pair.spot.ceil_quantity(bought))
    aster.world.trade_by_hand(Market.PERP, pair.symbol, Side.SELL, quantity)
    return pair.symbol


def test_a_hedge_that_the_first_check_adopts(aster: LocalAster, shell: Shell) -> None:
    symbol = hedge_by_hand(aster)
    leverage = aster.world.account().positions[symbol].leverage
    said = ask(shell)
    rows = {row["subject"]: row for row in said.document if row["level"] == "warning"}
    problem = rows["positions"]
    assert problem["text"].startswith(f"{symbol}: ")
    assert "the first check adopts them" in problem["text"]
    assert leverage != 1
    assert f"once its leverage, now {leverage}x, is set to 1x" in problem["text"]
    assert "adopt to never" in problem["mend"]


def test_the_doctor_says_what_run_then_does_with_a_hedge_made_by_hand(
    aster: LocalAster, shell: Shell, place: Path
) -> None:
    symbol = hedge_by_hand(aster)
    asking_much = {"min_funding_apr": 9000, "exit_funding_apr": 8000}
    write_config(place / "config_volume_farming_strategy.json", {"funding_rate_strategy": asking_much})
    rows = {row["subject"]: row for row in ask(shell).document}
    promised = rows["first check"]["text"]
    assert promised.startswith(f"adopts {symbol} (")
    assert "opened 0.0 h ago" in promised
    assert "keeps it until the next one, and that one closes it: " in promised
    why = promised.rpartition("closes it: ")[2]
    assert rows["first check"]["level"] == "warning"
    assert "adopt to never" in rows["first check"]["mend"]
    said = shell("run", "--once")
    assert f"a rule would close it ({why}; kept until " in said.out
    assert "Position kept open" in said.out
    assert aster.world.account().short(symbol) > 0


def test_a_hedge_that_is_not_fit_to_be_adopted(aster: LocalAster, shell: Shell) -> None:
    pair = aster.venue.exchange.market.pairs[0]
    aster.world.set_margin_type(pair.symbol, MarginType.ISOLATED)
    symbol = hedge_by_hand(aster)
    problem = only_problem(ask(shell), "warning")
    assert f"({symbol}: its margin is isolated" in problem["text"]
    assert problem["text"].startswith("the first check halts openings: a position that may not be adopted as it is")


def test_a_short_with_more_coins_than_it_needs(aster: LocalAster, shell: Shell) -> None:
    symbol = hedge_by_hand(aster, coins="2")
    problem = only_problem(ask(shell), "warning")
    assert problem["text"].startswith("the first check halts openings: ")
    assert f"hedgerow adopt {symbol}" in problem["mend"]


def test_a_long_position_is_left_alone(aster: LocalAster, shell: Shell) -> None:
    pair = aster.venue.exchange.market.pairs[0]
    aster.world.trade_by_hand(Market.PERP, pair.symbol, Side.BUY, pair.perp.lot * 100)
    problem = only_problem(ask(shell), "warning")
    assert "the first check leaves it alone" in problem["text"]


def test_a_position_is_not_judged_without_a_market_or_while_a_trade_is_in_flight() -> None:
    seen = account(short_of(quantity="10"))
    (unread,) = position_findings(seen, NotSent("down"), None, AdoptMode.BALANCED)
    assert "cannot be judged now (market unreadable)" in unread.text
    job = new_job(ExecutionKind.OPEN, pair=pair_of("BBBUSDT"))
    (waits,) = position_findings(seen, NotSent("down"), Ledger(execution=job), AdoptMode.BALANCED)
    assert "once the trade in flight has ended" in waits.text
    assert position_findings(NotSent("down"), NotSent("down"), None, AdoptMode.BALANCED) == []


def test_a_held_hedge_is_not_announced_as_an_opening(aster: LocalAster, shell: Shell, place: Path) -> None:
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    assert shell("run", "--once").code == 0
    text = findings(ask(shell), "ok")["first check"]
    (symbol,) = [s for s, position in aster.world.account().positions.items() if position.quantity]
    assert text == f"holds {symbol}: position healthy"


def test_an_order_that_is_not_the_bots(aster: LocalAster, shell: Shell) -> None:
    symbol = findings(ask(shell), "ok")["first check"].split()[1]
    pair = aster.venue.exchange.market.pair(symbol)
    middle = aster.venue.exchange.market.middle(Market.SPOT, symbol, aster.venue.exchange.now)
    assert pair is not None
    assert middle is not None
    price = pair.spot.round_price(middle / 2, Side.BUY)
    owner = WireClient(aster.venue, user=USER, key=int(KEY, 16))
    quantity = pair.spot.ceil_quantity(20 / price)
    resting = {"type": "LIMIT", "timeInForce": "GTC", "price": plain(price), "quantity": plain(quantity)}
    assert owner.spot("POST", "order", symbol=symbol, side="BUY", **resting).status == 200
    assert only_problem(ask(shell), "warning")["text"].startswith(f"1 on {symbol} ")


def test_a_wallet_below_the_minimum(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_aster(balance=40) as exchange:
        for name, value in exchange.variables.items():
            monkeypatch.setenv(name, value)
        assert "below the minimum of $50" in findings(ask(shell), "problem")["balances"]


@pytest.mark.usefixtures("aster")
def test_a_reserve_above_what_the_wallets_hold(shell: Shell, place: Path) -> None:
    write_config(place / "config_volume_farming_strategy.json", {"capital_management": {"reserve_usd": 100_000}})
    text = findings(ask(shell), "problem")["balances"]
    assert text.endswith("below the minimum of $50 without reserve_usd (100000)")


@pytest.mark.usefixtures("aster")
def test_a_log_that_cannot_be_read(shell: Shell, place: Path) -> None:
    (place / "hedgerow.db").write_bytes(b"my diary" * 1000)
    assert only_problem(ask(shell))["subject"] == "log"


@pytest.mark.usefixtures("aster")
def test_credentials_that_others_may_read(shell: Shell, place: Path) -> None:
    file = place / ".env"
    file.write_text(f"API_PRIVATE_KEY={KEY}\n")
    file.chmod(0o644)
    problem = only_problem(ask(shell), "warning")
    assert "can be read by others" in problem["text"]
    assert problem["mend"] == "chmod 600 .env"
