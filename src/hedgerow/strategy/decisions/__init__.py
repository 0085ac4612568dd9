"""What to do: open, close, trim, adopt, halt; each decision with its reason."""
