"""A sample of the matrix of replies: every run of the suite plays the same drawn cases of each source."""

from random import Random

import pytest

from reply_matrix import Case, Situation, Source, cases, play

SAMPLES = {Source.READ: 60, Source.WRITE: 15, Source.STREAM: 4}
WENT_WRONG = (
    "flat: GET /api/v3/account balances.*.free of USDT zero",
    "held: GET /api/v3/account balances.*.free of USDT zero",
    "turning: GET /api/v3/account balances.*.free of USDT huge",
    "held: GET /api/v3/exchangeInfo symbols.*.filters.*.stepSize of FORMUSDT huge",
    "turning: GET /api/v3/userTrades *.orderId of FORMUSDT zero",
    "turning: GET /api/v3/userTrades *.symbol of FORMUSDT blank",
    "turning: GET /fapi/v3/userTrades *.realizedPnl of FORMUSDT huge",
    "turning: GET /fapi/v3/userTrades *.realizedPnl of FORMUSDT negative",
    "turning: GET /fapi/v3/userTrades *.realizedPnl of FORMUSDT zero",
    "turning: POST /fapi/v3/order cumQuote huge",
    "turning: POST /fapi/v3/order executedQty huge",
    "paid: GET /fapi/v3/income *.income of FORMUSDT negative",
    "paid: GET /fapi/v3/income *.incomeType of FORMUSDT other COMMISSION_REBATE",
    "paid: GET /fapi/v3/income *.incomeType of FORMUSDT other TRANSFER",
    "paid: GET /fapi/v3/income *.symbol of FORMUSDT blank",
)
"""Cases that were wrong when the whole matrix was played."""


@pytest.fixture(scope="module")
def every_case() -> tuple[Case, ...]:
    return tuple(cases())


@pytest.mark.parametrize("source", list(Source))
def test_nothing_follows_from_a_false_reading_and_all_goes_on_after_it(
    source: Source, every_case: tuple[Case, ...]
) -> None:
    chosen = [case for case in every_case if case.source is source]
    drawn = Random(16).sample(chosen, SAMPLES[source])
    assert [(case.name, wrong) for case, wrong in play(drawn)] == []


def test_what_once_went_wrong_goes_right(every_case: tuple[Case, ...]) -> None:
    chosen = [case for case in every_case if case.name in WENT_WRONG]
    assert {case.name for case in chosen} == set(WENT_WRONG)
    assert [(case.name, wrong) for case, wrong in play(chosen)] == []


def test_every_endpoint_and_stream_that_a_bot_reads_is_in_the_matrix(every_case: tuple[Case, ...]) -> None:
    paths = {case.path for case in every_case}
    assert {"GET /fapi/v3/accountWithJoinMargin", "GET /api/v3/account", "GET /fapi/v3/income"} <= paths
    assert {"POST /api/v3/order", "POST /fapi/v3/order", "POST /fapi/v3/leverage"} <= paths
    assert {"perp !markPrice@arr@1s", "perp ORDER_TRADE_UPDATE", "spot executionReport"} <= paths
    assert {case.situation for case in every_case} == set(Situation)
    assert len(every_case) > 10_000
