"""Plays simulated runs, in process or through the wire, one after the other or in parallel processes."""
