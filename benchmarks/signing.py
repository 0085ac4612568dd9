"""Processor time of one signed order, beside eth-account and ccxt, in one run.

    python benchmarks/signing.py

All three turn the same parameters into the same kind of signed request (EIP-712 of the query string). ccxt is measured
in its own environment, which ``scripts/conformance.sh`` makes.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from eth_account import Account
from eth_account.messages import encode_typed_data

from _report import Budgets
from hedgerow.aster.credentials import Credentials
from hedgerow.aster.http.nonces import NonceSource, VenueTime
from hedgerow.aster.http.signing import AgentSigner, Param, encode
from hedgerow.clock import SystemClock

ROOT = Path(__file__).parents[1]
CCXT = ROOT / ".conformance" / "ccxt" / "bin" / "python"
KEY = "0x" + "1".zfill(64)
USER, SIGNER = "0x" + "1" * 40, "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
CHAIN = 1666
ROUNDS, SLOW_ROUNDS, REPEATS = 2_000, 100, 5
ORDER: dict[str, Param] = {
    "symbol": "ETHUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTX",
    "quantity": Decimal("0.250"),
    "price": Decimal("3000.10"),
    "newClientOrderId": "dn-0001",
}
DOMAIN = {
    "name": "AsterSignTransaction",
    "version": "1",
    "chainId": CHAIN,
    "verifyingContract": "0x" + "0" * 40,
}
TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "Message": [{"name": "msg", "type": "string"}],
}


def microseconds(work: Callable[[], object], rounds: int) -> float:
    """Return the processor time of one piece of work, the middle of several tries."""
    tries: list[float] = []
    for _ in range(REPEATS):
        began = time.process_time()
        for _ in range(rounds):
            work()
        tries.append(1e6 * (time.process_time() - began) / rounds)
    return statistics.median(tries)


def ours() -> Callable[[], str]:
    """Return what makes one signed query here."""
    credentials = Credentials(user=USER, signer=SIGNER, private_key=KEY)
    signer = AgentSigner(credentials, chain_id=CHAIN, nonces=NonceSource(VenueTime(SystemClock())))
    return lambda: signer.sign(encode(ORDER)).query


def with_eth_account() -> str:
    """Return one signed query, as the venue's own example makes it."""
    message = f"{encode(ORDER)}&user={USER}&signer={SIGNER}&nonce={time.time_ns() // 1000}"
    typed = {"types": TYPES, "primaryType": "Message", "domain": DOMAIN, "message": {"msg": message}}
    signed = Account.sign_message(encode_typed_data(full_message=typed), private_key=KEY)
    return f"{message}&signature=0x{signed.signature.hex()}"


def with_ccxt() -> float | None:
    """Return ccxt's microseconds, or None where it is not installed."""
    if not CCXT.exists():
        return None
    script = str(Path(__file__).with_name("_ccxt_sign.py"))
    done = subprocess.run(  # noqa: S603 - our own
        [str(CCXT), script, str(SLOW_ROUNDS)], capture_output=True, text=True, check=False, timeout=60
    )
    return float(done.stdout) if done.returncode == 0 else None


def main() -> int:
    """Print the figures; nothing here has a budget but to be the cheapest."""
    budgets = Budgets()
    budgets.title("processor time of one signed order")
    own = microseconds(ours(), ROUNDS)
    budgets.line("hedgerow", f"{own:.0f} us")
    eth = microseconds(with_eth_account, SLOW_ROUNDS)
    budgets.line("eth-account", f"{eth:.0f} us, x{eth / own:.1f}", budget="more than ours", holds=eth > own)
    other = with_ccxt()
    if other is None:
        budgets.line("ccxt", "not installed: scripts/conformance.sh does it")
    else:
        budgets.line("ccxt", f"{other:.0f} us, x{other / own:.1f}", budget="more than ours", holds=other > own)
    return 0 if budgets.held else 1


if __name__ == "__main__":
    sys.exit(main())
