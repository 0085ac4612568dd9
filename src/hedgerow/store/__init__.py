"""What is kept: the event log (sqlite, memory), its JSON, the guide's state file, and the lock on an account."""
