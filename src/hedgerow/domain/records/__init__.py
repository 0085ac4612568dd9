"""Values that are kept beside the event log."""
