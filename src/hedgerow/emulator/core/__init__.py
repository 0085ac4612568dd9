"""The emulated exchange without a protocol: world, account, orders, books, wallets, funding, time."""
