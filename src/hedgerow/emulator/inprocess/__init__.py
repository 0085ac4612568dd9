"""The emulated exchange as an in-process ``Venue``, with delays and faults."""
