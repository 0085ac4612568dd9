"""A bot of a few lines: it shorts a perpetual when that pays enough, and asks before it sends an order again.

It uses an old key pair (V1) and Python's standard library; agent keys work as well.
"""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

__all__ = ["CautiousBot"]

SERVER_ERRORS = 500


class CautiousBot:
    """Trades one symbol at one address."""

    def __init__(self, address: str, key: str, secret: str) -> None:
        self._address, self._key, self._secret = address, key, secret

    def short_if_it_pays(self, symbol: str, quantity: str, least: float) -> bool:
        """Sell short when the predicted funding rate is at least ``least``; return whether the order is executed."""
        rate = float(self._call("GET", "premiumIndex", symbol=symbol)["lastFundingRate"])
        return rate >= least and self._order(symbol, quantity)

    def _order(self, symbol: str, quantity: str) -> bool:
        name = f"cautious-{time.time_ns()}"
        order = {"symbol": symbol, "side": "SELL", "type": "MARKET", "quantity": quantity, "newClientOrderId": name}
        try:
            answer = self._call("POST", "order", signed=True, **order, newOrderRespType="RESULT")
        except HTTPError as error:
            with error:
                if error.code < SERVER_ERRORS:
                    return False
            # The exchange may have executed it all the same: look before sending it again.
            answer = self._call("GET", "order", signed=True, symbol=symbol, origClientOrderId=name)
        return bool(answer["status"] == "FILLED")

    def _call(self, method: str, path: str, *, signed: bool = False, **parameters: str) -> dict[str, Any]:
        text = urlencode({**parameters, "timestamp": str(int(time.time() * 1000))} if signed else parameters)
        if signed:
            text += f"&signature={hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"
        request = Request(f"{self._address}/fapi/v1/{path}?{text}", method=method, headers={"X-MBX-APIKEY": self._key})
        with urlopen(request, timeout=10) as reply:
            found: dict[str, Any] = json.load(reply)
            return found
