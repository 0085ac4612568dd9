"""The account by REST and by the user streams: balances, positions, orders, settings, trades, income."""
