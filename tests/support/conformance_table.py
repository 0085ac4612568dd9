"""The table of clients and capabilities, as ``docs/conformance.md`` shows it."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from support.conformance import CLIENTS, ROOT, Client, Run, run_client
from support.conformance_checks import CAPABILITIES, outcome

__all__ = ["PAGE", "by_hand", "page_of", "table_of", "version_of"]

PAGE = ROOT / "docs" / "conformance.md"
HEAD = """# Conformance: other people's clients against the emulator

Clients written by others trade on the emulated exchange, unmodified except for host names, each pinned in an
environment of its own. What a client reports is compared with the exchange's own state: orders, fills, fees, transfers.
`make conformance` runs it; `scripts/conformance.sh --table` writes this page from such a run.

**yes**: client and exchange agree. **no**: the client cannot, by a fault of its own, which
[venue-notes.md](venue-notes.md) explains. **-**: the client does not offer it, or not as a call of its own.

"""

BY_HAND = "\n## Their own suites\n"
"""Where the part of the page begins that no run writes."""


def version_of(client: Client) -> str:
    """Return the pinned version of a client."""
    text = (ROOT / client.lock).read_text(encoding="utf-8")
    found = re.search(rf'(?m)^{client.package}==(\S+)|"{client.package}": "(\S+?)"', text)
    if found is None:
        raise LookupError(f"{client.lock} pins no {client.package}")
    return found[1] or found[2]


def page_of(runs: Sequence[Run]) -> str:
    """Return the page that these runs make."""
    return table_of([run.client for run in runs], [[outcome(run, each) for run in runs] for each in CAPABILITIES])


def table_of(clients: Sequence[Client], outcomes: Sequence[Sequence[str]]) -> str:
    """Return the page for these clients, with one row of outcomes per capability."""
    rows = [
        ["Capability", *(f"{client.name} {version_of(client)}" for client in clients)],
        ["---"] * (len(clients) + 1),
    ]
    rows += [[each.title, *row] for each, row in zip(CAPABILITIES, outcomes, strict=True)]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def by_hand(page: str) -> str:
    """Return the part of a page that no run writes."""
    _, heading, rest = page.partition(BY_HAND)
    return heading + rest


def main(page: Path = PAGE) -> None:
    """Run every client and write the page; what was written by hand stays."""
    missing = [client.name for client in CLIENTS if not client.ready]
    if missing:
        sys.exit(f"no environment for {', '.join(missing)}: scripts/conformance.sh makes them")
    written = by_hand(page.read_text(encoding="utf-8"))
    page.write_text(page_of([run_client(client) for client in CLIENTS]) + written, encoding="utf-8")


if __name__ == "__main__":
    main()
