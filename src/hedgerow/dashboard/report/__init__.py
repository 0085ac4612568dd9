"""The report of a run: recorded series, console lines, JSON, and one HTML page."""
