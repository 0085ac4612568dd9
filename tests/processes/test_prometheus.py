"""A real Prometheus scrapes the demo: each series arrives, each expression of the Grafana file returns data."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from hedgerow.clock import SystemClock
from hedgerow.notify.alert_rules import RULES, rules_text
from hedgerow.notify.grafana import grafana_text
from support.command_runner import COMMAND
from support.components import needed

PATIENCE_SECONDS = 60.0
ALWAYS = frozenset(
    {
        *(
            "hedgerow_info",
            "hedgerow_up",
            "hedgerow_state",
            "hedgerow_hedges",
            "hedgerow_equity_usd",
            "hedgerow_net_usd",
        ),
        *("hedgerow_checks_total", "hedgerow_naked_seconds", "hedgerow_hedge_net_if_closed_usd"),
    }
)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(command: list[str], folder: Path, name: str) -> Iterator[None]:
    with (folder / f"{name}.txt").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, cwd=folder)  # noqa: S603 - as the test says
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE_SECONDS)


def answer(url: str) -> Any:
    try:
        with urlopen(url, timeout=5) as reply:  # noqa: S310 - on this machine
            return json.loads(reply.read())
    except (OSError, ValueError):
        return {}


def data_of(prometheus: str, expression: str) -> list[Any]:
    found = answer(f"{prometheus}/api/v1/query?query={quote(expression)}")
    assert found.get("status") in {None, "success"}, expression
    rows: list[Any] = found.get("data", {}).get("result", [])
    return rows


def panels() -> list[str]:
    """Return every expression as Grafana sends it when all bots are chosen."""
    found = [target["expr"] for panel in json.loads(grafana_text())["panels"] for target in panel["targets"]]
    return [expression.replace("$bot", ".*") for expression in found]


def test_prometheus_scrapes_the_demo_and_every_panel_has_data(tmp_path: Path) -> None:
    prometheus, ports = needed("prometheus"), (free_port(), free_port())
    demo = [COMMAND, "demo", "--days", "9", "--speed", "3600", "--serve", "--port", str(ports[0]), "--home", "bot"]
    (tmp_path / "hedgerow.rules.yml").write_text(rules_text(), encoding="utf-8")
    job = {"job_name": "hedgerow", "static_configs": [{"targets": [f"127.0.0.1:{ports[0]}"]}]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["hedgerow.rules.yml"],
        "scrape_configs": [job],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    scraper = [
        prometheus,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{ports[1]}",
    ]
    address, clock = f"http://127.0.0.1:{ports[1]}", SystemClock()
    waiting = {*panels(), *ALWAYS}
    with running(demo, tmp_path, "demo"), running(scraper, tmp_path, "prometheus"):
        until = clock.monotonic() + PATIENCE_SECONDS
        while waiting and clock.monotonic() < until:
            asyncio.run(clock.sleep(0.5))
            waiting = {expression for expression in waiting if not data_of(address, expression)}
        rules = answer(f"{address}/api/v1/rules")
        said = (tmp_path / "demo.txt").read_text(encoding="utf-8")[-500:]
    assert waiting == set(), f"no data; the demo says: {said}"
    found = rules["data"]["groups"][0]["rules"]
    assert [rule["name"] for rule in found] == [rule.name for rule in RULES]
    assert {rule["health"] for rule in found} == {"ok"}
