"""Hedgerow farms perpetual funding delta-neutrally: long spot, short the same quantity of the perpetual."""

__version__ = "0.2.0"
