"""Search: many parameter sets over one window, kept while they are played, and judged by what chance would give."""
