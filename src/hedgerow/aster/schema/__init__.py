"""Rows of the exchange's JSON and their conversion to domain values."""
