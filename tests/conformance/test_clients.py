"""Clients that others wrote trade on the emulator, and the emulator's own state bears them out.

`make conformance` makes their environments and runs this; without them, and among the other tests, it is left out.
"""

import os
import re
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import pytest

from support.conformance import CLIENTS, Client, Run, run_client
from support.conformance_checks import CAPABILITIES, Capability, gap_of, outcome
from support.conformance_table import PAGE, by_hand, page_of


@cache
def runs() -> Mapping[str, Future[Run]]:
    """Start the run of every client that has an environment, side by side: each has an exchange of its own."""
    ready = [client for client in CLIENTS if client.ready]
    pool = ThreadPoolExecutor(len(ready))
    return {client.name: pool.submit(run_client, client) for client in ready}


def run_of(client: Client) -> Run:
    """Return the one run of a client."""
    if not client.ready:
        pytest.skip(f"no environment for {client.name}: make conformance makes it")
    if "PYTEST_XDIST_WORKER" in os.environ:
        pytest.skip("would run every client in every process: make conformance runs each once")
    return runs()[client.name].result()


@pytest.fixture(params=CLIENTS, ids=[client.name for client in CLIENTS])
def run(request: pytest.FixtureRequest) -> Run:
    return run_of(request.param)


@pytest.mark.parametrize("capability", CAPABILITIES, ids=[capability.name for capability in CAPABILITIES])
def test_client_and_exchange_agree(run: Run, capability: Capability) -> None:
    if outcome(run, capability) == "-":
        pytest.skip(f"{run.client.name} does not offer it")


def test_a_known_gap_fails_with_the_words_we_know(run: Run) -> None:
    for capability in CAPABILITIES:
        words = gap_of(run.client, capability.name)
        if words is not None:
            assert re.search(words, run.reports[capability.name]["error"]), capability.name


def test_everything_reported_is_judged(run: Run) -> None:
    assert set(run.reports) <= {capability.name for capability in CAPABILITIES}


def test_no_nonce_came_twice_and_every_order_is_accounted_for(run: Run) -> None:
    ids = [exchange_order["client_id"] for exchange_order in run.after["tickets"]]
    assert len(set(ids)) == len(ids)
    assert not [exchange_order for exchange_order in run.after["tickets"] if exchange_order["stage"] != "over"]


def test_the_page_says_what_the_runs_found() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_of([run_of(client) for client in CLIENTS]) + by_hand(page)
