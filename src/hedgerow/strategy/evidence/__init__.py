"""Whether a reading may be believed: absent legs, prices, margin, funding rows, trade reports, the underlying."""
