"""The exchange behind the protocol: accounts, keys, order records, state and its journal file."""
