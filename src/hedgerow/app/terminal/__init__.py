"""The terminal dashboard: what it reads and asks of a bot, and the program that draws it (extra ``terminal``)."""
