"""Pure decisions over domain values: what to enter, how much, when to exit, what the account means.

Usable on its own: no I/O, no clock, no logging. Give it values read from anywhere and ask.
"""
