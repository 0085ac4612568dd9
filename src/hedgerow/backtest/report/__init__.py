"""The report of a backtest and of a search: one HTML page that loads nothing."""
