"""The ledger: the fold of the event log, and its reducers."""
