"""What a user sees of a run: log lines, progress, report, books. Imports engine and ports, never an adapter."""
