"""Keeps the books current: fills, fees, funding, statement rows, equity and the trading day."""
