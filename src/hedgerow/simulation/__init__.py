"""Deterministic simulation: days of trading under faults drawn from a seed, checked after every event.

``generators`` draws a ``scenario`` from a seed; ``faults`` are what goes wrong in it; ``harness`` is the exchange that
the bot trades on; ``checks`` says what must hold; ``shrink`` drops the faults that a failure does not need; ``report``
adds runs up. ``hedgerow.app.simulation.run`` wires them.
"""
