"""Deterministic simulation: days of trading under faults drawn from a seed, checked after every event.

``draws`` draws a ``plan`` from a seed, ``market`` is what it is played on, ``incidents`` is what befalls the account,
``power`` lets the bot die, ``monitor`` watches it, ``invariants`` and ``reckoning`` say what must hold, ``minimise``
makes a plan that failed as small as it can be, and ``report`` adds runs up. The wiring is in ``hedgerow.app.simulation.run``.
"""
