"""REST routes and the faults of their replies."""
