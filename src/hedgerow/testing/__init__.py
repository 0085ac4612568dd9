"""A local Aster for the tests of any bot: real sockets, no network, no money (docs/testing_your_bot.md).

``local_aster`` is a context manager for any test framework; the fixtures of ``hedgerow.pytest_plugin`` are built on it,
and nothing here needs pytest.
"""

from hedgerow.testing.accounts import AsterAccount
from hedgerow.testing.local_exchange import LocalAster, local_aster
from hedgerow.testing.records import Balances, SeenOrder, SeenRequest

__all__ = ["AsterAccount", "Balances", "LocalAster", "SeenOrder", "SeenRequest", "local_aster"]
