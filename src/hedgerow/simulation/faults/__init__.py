"""What goes wrong in a run: faults of venue and wire, market events, acts of the owner, crashes."""
