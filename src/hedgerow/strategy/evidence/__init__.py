"""Whether a reading may be believed: absent legs, prices, margin, trade reports, the underlying."""
