import re
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest
from msgspec.structs import replace

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.entry import plan_opening, shortlist
from hedgerow.strategy.decisions.held import decide_held
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Close, Hold, Observation, Open
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming, load_policy
from hedgerow.strategy.policies.volume_farming import _Admitted
from hedgerow.strategy.policy import Policy
from support.views import (
    NOW,
    FixedMarket,
    account,
    depth,
    hedge,
    holding,
    ledger_of,
    listing,
    market_of,
    pair_of,
    prints,
    short_of,
)

PAGE = Path(__file__).parents[3] / "docs" / "custom_policy.md"
GUIDE = StrategyParameters()


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Policy:
    """Run the page's block as a module and plug its class in by its dotted path."""
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    module = ModuleType("my_policies")
    exec(block[1], module.__dict__)  # noqa: S102 - the documented block is what is tested
    monkeypatch.setitem(sys.modules, "my_policies", module)
    return load_policy("my_policies.CalmCarry", GUIDE)


def wild_and_calm() -> FixedMarket:
    market = market_of(listing(pair=pair_of("AAAUSDT")), listing(pair=pair_of("BBBUSDT"), rate="0.0003"))
    wild = prints("BBBUSDT", *["0.0012", "-0.0005"] * 5)
    board = replace(market.rates, settled={**market.rates.settled, "BBBUSDT": wild})
    return replace(market, rates=board)


def test_the_documented_block_has_about_thirty_lines() -> None:
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    assert len(block[1].splitlines()) <= 35


def test_the_documented_policy_is_one(documented: Policy) -> None:
    assert isinstance(documented, Policy)
    assert documented.parameters is GUIDE


def test_the_documented_policy_opens_by_its_own_ranking_with_its_own_capital(documented: Policy) -> None:
    seen = Observation(at=NOW, market=wild_and_calm(), account=account())
    guides = [o.symbol for o in shortlist(seen, Ledger(), VolumeFarming(GUIDE))]
    assert guides == ["BBBUSDT", "AAAUSDT"]
    own = list(shortlist(seen, Ledger(), documented))
    assert [o.symbol for o in own] == ["AAAUSDT", "BBBUSDT"]
    opened = plan_opening(own[0], depth(Market.SPOT), depth(Market.PERP), seen, Ledger(), documented)
    assert isinstance(opened, Open)
    assert opened.plan.perp_quantity == Decimal("4.75")


def test_the_documented_policy_leaves_by_its_own_reason_only(documented: Policy) -> None:
    seen = Observation(at=NOW, market=wild_and_calm(), account=holding(short_of(quantity="10"), coins="10"))
    assert isinstance(decide_held(seen, ledger_of(hedge("10", hours=90, funding="50")), documented), Hold)
    falling = market_of(listing(pair=pair_of(), rate="-0.0001"))
    left = decide_held(replace(seen, market=falling), ledger_of(hedge("10")), documented)
    assert isinstance(left, Close)
    assert left.reason is Reason.NEGATIVE_FUNDING


def test_the_documented_policy_gets_the_safety_exits_for_free(documented: Policy) -> None:
    seen = Observation(at=NOW, market=wild_and_calm(), account=holding(short_of(quantity="10"), coins="0"))
    left = decide_held(seen, ledger_of(hedge("10")), documented)
    assert isinstance(left, Close)
    assert left.reason is Reason.LEG_GONE


def test_the_guide_is_a_policy_of_the_house() -> None:
    assert isinstance(load_policy("volume_farming", GUIDE), VolumeFarming)


def test_the_pairs_that_may_be_entered_are_a_sequence_judged_one_by_one() -> None:
    policy, market = VolumeFarming(StrategyParameters()), wild_and_calm()
    admitted = _Admitted(policy, policy.rank(market), market)
    assert list(admitted) == admitted[:] == [admitted[index] for index in range(len(admitted))]


def test_a_signal_that_is_missing_for_no_named_reason_is_refused() -> None:
    market = market_of(listing(pair=pair_of()))
    found = VolumeFarming(GUIDE).refusals(market.pairs[0], Ranking(), market)
    assert [refusal.detail for refusal in found] == ["no signal"]


class Partial:
    """Lacks most of what a policy needs."""

    def __init__(self, parameters: StrategyParameters) -> None:
        self.parameters = parameters


class Picky(Partial):
    """Cannot be built from these parameters."""

    def __init__(self, parameters: StrategyParameters) -> None:
        super().__init__(parameters)
        raise ValueError("I want more capital")


class Broken(Partial):
    """Fails by a mistake of its author."""

    def __init__(self, parameters: StrategyParameters) -> None:
        super().__init__(parameters)
        raise ZeroDivisionError("one\nand another line")


NOT_A_CLASS = 3


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("carrots", "policy 'carrots' is unknown; allowed: volume_farming, carry, or the dotted path of a class"),
        ("no_such_package.Policy", "policy 'no_such_package.Policy' cannot be loaded: No module named"),
        ("hedgerow.strategy.policies.Missing", "cannot be loaded: module .* has no attribute 'Missing'"),
        ("my_policies.NOT_A_CLASS", "policy 'my_policies.NOT_A_CLASS' is not a class"),
        ("my_policies.Partial", "lacks rank, refusals, capital, review; a policy has parameters, rank"),
        ("my_policies.Picky", "cannot be built from the parameters: I want more capital"),
        ("my_policies.Broken", r"ZeroDivisionError: one and another line \(.*test_policies.py, line \d+\)$"),
        ("my_policies.Nullary", "cannot be built from the parameters"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_in_one_line(
    path: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("my_policies")
    module.__dict__.update(Partial=Partial, Picky=Picky, Broken=Broken, NOT_A_CLASS=NOT_A_CLASS, Nullary=lambda: None)
    monkeypatch.setitem(sys.modules, "my_policies", module)
    with pytest.raises(ConfigError, match=text) as refused:
        load_policy(path, GUIDE)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = (", r"cannot be loaded: SyntaxError: '\(' was never closed \(.*my_broken.py, line 1\)$"),
        ("1 / 0", r"cannot be loaded: ZeroDivisionError: division by zero \(.*my_broken.py, line 1\)$"),
        ("raise SystemExit(7)", r"cannot be loaded: SystemExit: 7 \(.*my_broken.py, line 1\)$"),
    ],
)
def test_a_module_of_a_policy_that_cannot_be_run_is_refused_in_one_line(
    source: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_broken.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=line):
        load_policy("my_broken.Policy", GUIDE)
