"""Executes two-leg jobs: one command at a time, logged before it is sent; unknown outcomes are resolved."""
