"""What a run shows of itself: the log, its progress and its report. Sees the engine and ports, never an adapter."""
