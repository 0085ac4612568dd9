"""Market history on disk, and the tape that replays it without telling what was not known yet."""
