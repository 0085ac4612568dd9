"""What the observation says: signals, ranking, screening, exits, health, sizes and results."""
