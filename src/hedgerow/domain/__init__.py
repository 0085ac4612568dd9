"""Values and arithmetic. No I/O, no clock, no logging; imports nothing of the layers above."""
