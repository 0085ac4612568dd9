"""Runs in ccxt's own environment: prints the microseconds of processor that one signed order takes it.

_ccxt_sign.py ROUNDS
"""

import sys
import time

import ccxt

ORDER = {
    "symbol": "ETHUSDT",
    "side": "SELL",
    "type": "LIMIT",
    "timeInForce": "GTX",
    "quantity": "0.250",
    "price": "3000.10",
    "newClientOrderId": "dn-0001",
}


def main() -> None:
    """Sign an order again and again."""
    client = ccxt.aster({"privateKey": "0x" + "1".zfill(64), "walletAddress": "0x" + "1" * 40})
    client.options["signerAddress"] = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    rounds = int(sys.argv[1])
    client.sign("v3/order", ["fapiPrivate"], "POST", dict(ORDER))
    began = time.process_time()
    for _ in range(rounds):
        client.sign("v3/order", ["fapiPrivate"], "POST", dict(ORDER))
    print(1e6 * (time.process_time() - began) / rounds)


if __name__ == "__main__":
    main()
