"""Log lines for notices and events; the guide's own lines letter for letter."""
