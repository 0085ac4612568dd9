"""Settings changed on a screen are in the file, in the log, and in force at the next check of the running bot."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from hedgerow.app.outlook_file import OutlookFile
from hedgerow.app.storage.configuration import ConfigKeeper
from hedgerow.config import load_settings
from hedgerow.config.loading import with_overrides
from hedgerow.config.table import settings_in_words
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.dashboard.outlook import OutlookBuilder
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.events import HedgeClosed, HedgeOpened, RequestHandled, SettingChange, SettingsChanged
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.operator_requests import Answer, ClosingPriced, Request, SettingsForeseen, SettingsRequested
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleBegan, CycleFailed, SettingsInForce
from hedgerow.store.codec import decode_event, encode_event
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.strategy.policies import VolumeFarming
from hedgerow.strategy.settings_changes import ForeseenSettings
from support.bot_harness import BotHarness
from support.mail import asked, mailbox_in
from support.worlds import SYMBOL

AGE = "position_management.max_position_age_hours"
INTERVAL = "position_management.loop_interval_seconds"
PERIODS = "funding_rate_strategy.funding_ma_periods"
FILE = """{
  "_why": "mine",
  "position_management": {"max_position_age_hours": 24.0,   "_note": "days: 1"},
  "risk_management": { "stop_on": "pair" }
}
"""


def pairs(changes: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(changes.items())


class _FileBot:
    """A bot on a configuration file, and what a person asks of it at some minute."""

    def __init__(self, folder: Path, *, ma_periods: int | None = None) -> None:
        self.path = folder / "config.json"
        self.path.write_text(FILE, encoding="utf-8")
        self.mailbox = mailbox_in(folder / "requests")
        self.settings = with_overrides(load_settings(self.path, named=True), ma_periods=ma_periods)
        self.keeper = ConfigKeeper(self.path, self.settings)
        self.harness = BotHarness(parameters=self.settings.parameters)

    def ask(self, *requests: Request, hours: float = 0.6, at: float = 0.45) -> Answer:
        """Run a bot that is asked at that hour, one request after the other; return the last answer."""

        def post(_: object) -> None:
            for number, request in enumerate(requests):
                self.mailbox.post(asked(f"{number}", request))

        self.run(hours, {at: post})
        answer = [self.mailbox.collect(f"{number}") for number in range(len(requests))][-1]
        assert answer is not None
        return answer

    def run(self, hours: float, at: dict[float, Callable[[object], None]]) -> None:
        words = settings_in_words(self.settings.parameters)
        builder = OutlookBuilder(VolumeFarming(self.settings.parameters), settings=words)
        self.outlook = OutlookFile(self.path.with_name("outlook.json"), builder, self.harness.clock)
        self.harness.run(hours, at=at, mailbox=self.mailbox, settings=self.keeper, observers=(self.outlook,))


@pytest.fixture
def bot(tmp_path: Path) -> _FileBot:
    return _FileBot(tmp_path)


def test_a_change_is_written_logged_and_in_force_at_the_next_check_without_a_restart(
    bot: _FileBot,
) -> None:
    answer = bot.ask(SettingsRequested(changes=pairs({AGE: "0.5", INTERVAL: "60"})), hours=0.8)
    assert (answer.done, answer.text) == (
        True,
        f"Written to the file, in force at the next check: {AGE} is 0.5, {INTERVAL} is 60.",
    )
    assert bot.path.read_text(encoding="utf-8") == FILE.replace("24.0,", "0.5,").replace(
        '"days: 1"}', '"days: 1",   "loop_interval_seconds": 60}'
    )
    (changed,) = bot.harness.logged(SettingsChanged)
    assert changed.user == "anna"
    assert changed.changes == (
        SettingChange(name=AGE, before="24", after="0.5"),
        SettingChange(name=INTERVAL, before="300", after="60"),
    )
    (in_force,) = bot.harness.notices_of(SettingsInForce)
    checks = [each.at for each in bot.harness.notices_of(CycleBegan) if each.at >= in_force.at]
    assert checks[0] == in_force.at >= changed.at
    assert {round((later - at).total_seconds() / 60) for at, later in pairwise(checks[1:])} == {1}
    closed = bot.harness.logged(HedgeClosed)
    assert closed[0].reason is Reason.MAX_AGE
    outlook = bot.outlook.latest()
    assert outlook is not None
    assert (outlook.settings[AGE], outlook.interval_seconds) == ("0.5", 60)
    lines = [line.text for notice in bot.harness.notices for line in narrate(notice)]
    assert f"  {AGE}: 24 becomes 0.5" in lines
    assert "The changed settings are in force from this check on" in lines
    log = [decode_event(encode_event(event)) for event in bot.harness.log]
    assert fold(log) == bot.harness.ledger


def test_a_check_is_never_judged_by_two_sets_of_settings(bot: _FileBot) -> None:
    """Until the next check begins, what is asked for in between goes by the settings of the last one."""
    bot.ask(SettingsRequested(changes=pairs({"position_management.max_positions": "3"})), hours=0.46)
    assert bot.harness.logged(SettingsChanged)
    assert not bot.harness.notices_of(SettingsInForce)
    assert len(bot.harness.logged(HedgeOpened)) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"risk_management.stop_on": "perp_leg"}, "risk_management.stop_on is not changed while AAAUSDT is held"),
        ({AGE: "-1"}, "max_position_age_hours is -1; allowed: "),
        ({AGE: "soon"}, "max_position_age_hours is soon; allowed: "),
        ({"policy": "carry"}, "policy names code"),
        ({"policy.age": "1"}, "there is no such setting"),
        ({AGE: "24"}, "that is in force already"),
        ({"execution.max_cap_bps": "1"}, "not below price_cap_bps"),
    ],
)
def test_what_is_not_allowed_is_refused_as_a_whole(bot: _FileBot, changes: dict[str, str], why: str) -> None:
    answer = bot.ask(SettingsRequested(changes=pairs({INTERVAL: "300", **changes})), hours=0.47)
    assert answer.text.startswith("Nothing was changed: ")
    assert why in answer.text
    assert answer.done is ("already" in why)
    assert bot.path.read_text(encoding="utf-8") == FILE
    assert not bot.harness.logged(SettingsChanged)


def test_what_was_changed_in_the_file_by_hand_is_not_put_in_force_beside(bot: _FileBot) -> None:
    bot.path.write_text(FILE.replace('"pair"', '"pair", "daily_loss_limit_usd": 5'), encoding="utf-8")
    answer = bot.ask(SettingsRequested(changes=pairs({AGE: "12"})), hours=0.47)
    assert "risk_management.daily_loss_limit_usd (5)" in answer.text
    assert "24.0" in bot.path.read_text(encoding="utf-8")


def test_a_file_that_cannot_be_written_changes_nothing(bot: _FileBot) -> None:
    bot.path.with_name(".config.json.tmp").mkdir()
    answer = bot.ask(SettingsRequested(changes=pairs({AGE: "12"})), hours=0.47)
    assert not answer.done
    assert "cannot be written" in answer.text
    assert not bot.harness.logged(SettingsChanged)


def test_a_file_that_changed_between_check_and_write_is_kept(bot: _FileBot) -> None:
    new = bot.keeper.prepared({AGE: "12"}, VolumeFarming(bot.settings.parameters))
    bot.path.write_text("{}", encoding="utf-8")
    with pytest.raises(Exception, match="was changed since it was read"):
        new.write()
    assert bot.path.read_text(encoding="utf-8") == "{}"


def test_the_command_line_still_decides_what_it_decided(tmp_path: Path) -> None:
    bot = _FileBot(tmp_path, ma_periods=3)
    answer = bot.ask(SettingsRequested(changes=pairs({AGE: "12", PERIODS: "7"})))
    assert answer.text.endswith(f"{AGE} is 12.")
    assert bot.harness.notices_of(SettingsInForce)[0].policy.parameters.funding_rate_strategy.funding_ma_periods == 3
    with pytest.raises(ConfigError, match="--ma-periods"):
        bot.keeper.prepared({PERIODS: "7"}, VolumeFarming(bot.settings.parameters))


# --- questions -------------------------------------------------------------------------------------------------------


def test_a_question_is_answered_from_a_reading_of_now_and_leaves_no_trace(bot: _FileBot) -> None:
    answer = bot.ask(SettingsForeseen(changes=pairs({AGE: "0.25"})), hours=0.5)
    found = msgspec.json.decode(answer.document, type=ForeseenSettings)
    assert found.changes == (SettingChange(name=AGE, before="24", after="0.25"),)
    (held,) = found.hedges
    assert (held.symbol, held.now.action, held.then.action) == (SYMBOL, "hold", "close")
    assert bot.path.read_text(encoding="utf-8") == FILE
    assert not bot.harness.logged(SettingsChanged)
    assert not bot.harness.logged(RequestHandled)


def test_a_question_leaves_the_log_as_it_is_to_the_byte(tmp_path: Path) -> None:
    logs: list[list[bytes]] = []
    for name, requests in (
        ("with", (SettingsForeseen(changes=pairs({AGE: "1"})), ClosingPriced(symbol=SYMBOL))),
        ("out", ()),
    ):
        (tmp_path / name).mkdir()
        bot = _FileBot(tmp_path / name)
        if requests:
            bot.ask(*requests)
        else:
            bot.run(0.6, {})
        logs.append([encode_event(event) for event in bot.harness.log])
    assert logs[0] == logs[1]


def test_closing_is_priced_by_books_that_are_read_for_the_question(bot: _FileBot) -> None:
    answer = bot.ask(ClosingPriced(symbol=SYMBOL), hours=0.5)
    price = msgspec.json.decode(answer.document, type=ClosingPrice)
    assert (price.hedge_id, price.symbol) == (bot.harness.hedge.hedge_id, SYMBOL)
    assert (bot.harness.clock.now() - price.at).total_seconds() == pytest.approx(0.05 * 3600, abs=3)
    assert price.result.exit_cost is not None
    assert price.result.exit_cost > 0
    assert price.next_payment is not None
    assert price.next_payment.amount is not None


def test_a_question_about_what_is_not_held_or_not_readable_says_so(bot: _FileBot) -> None:
    assert bot.ask(ClosingPriced(symbol="XUSDT"), hours=0.47).text == "XUSDT is not held."
    bot.harness.venue.bug = None

    def broken(_: object) -> None:
        bot.mailbox.post(asked("b", ClosingPriced(symbol=SYMBOL)))
        bot.harness.venue.bug = RuntimeError("the policy's own")

    bot.run(0.2, {0.05: broken})
    answer = bot.mailbox.collect("b")
    assert answer is not None
    assert answer.text == "That cannot be said now: the policy's own"
    assert not bot.harness.notices_of(CycleFailed)


def test_a_bot_without_a_file_says_that_it_has_none(tmp_path: Path) -> None:
    harness, mailbox = BotHarness(), mailbox_in(tmp_path)

    def post(_: object) -> None:
        mailbox.post(asked("0", SettingsRequested(changes=pairs({AGE: "1"}))))
        mailbox.post(asked("1", SettingsForeseen(changes=pairs({AGE: "1"}))))

    harness.run(0.5, mailbox=mailbox, at={0.45: post})
    for number in ("0", "1"):
        answer = mailbox.collect(number)
        assert answer is not None
        assert "not started with a configuration file" in answer.text
