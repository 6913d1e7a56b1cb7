"""The command line's entry: the script `gatekeeper`, and `python -m gatekeeper` where that is not on the PATH."""

import sys

from . import ROOT


def main() -> None:
    """Runs the command line; interrupted while that is loaded, it ends with 130 and without a word."""
    sys.path.insert(0, str(ROOT))
    try:
        from gatekeeper.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
