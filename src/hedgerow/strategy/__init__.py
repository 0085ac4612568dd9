"""Pure decisions over domain values: what is attractive, how much, when to leave, what the account means.

Usable on its own: no I/O, no clock, no logging. Give it values read from anywhere and ask.
"""
