"""Stores: the event log (SQLite, memory), its JSON, the guide's state file, and account locks."""
