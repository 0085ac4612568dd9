"""Logs, requests and views of many bots in one PostgreSQL database (extra ``postgres``, docs/fleet.md)."""
