"""Start the bot as the strategy guide says: ``python volume_farming_strategy.py`` is ``hedgerow run``."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Become ``hedgerow run``, in the project's own environment when this Python does not have Hedgerow."""
    python = sys.executable
    if find_spec("hedgerow") is None:
        python = str(Path(__file__).resolve().parent / ".venv" / "bin" / "python")
        if not Path(python).exists():
            sys.exit("Hedgerow is not installed for this Python: run `make setup` once, then try again.")
    os.execv(python, [python, "-m", "hedgerow", "run", *sys.argv[1:]])  # noqa: S606 - our own program, no shell


if __name__ == "__main__":
    main()
