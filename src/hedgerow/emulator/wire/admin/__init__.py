"""The ``/admin`` routes: time, prices, markets, faults, and the account."""
