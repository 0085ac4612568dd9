"""Draws a run from its seed: market, settings, faults, execution style."""
