"""Market history on disk, and its replay without look-ahead."""
