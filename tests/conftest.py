"""Profiles of Hypothesis: on a CI machine the same examples every time, elsewhere new ones at each run."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)
settings.register_profile("local")
settings.load_profile("ci" if os.environ.get("CI") else "local")
