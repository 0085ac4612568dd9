"""The engine: the only place that awaits with purpose. It reads, decides, writes and records, and sees only ports."""
