"""What ``doctor`` checks: each finding is one line with its severity and its remedy."""
