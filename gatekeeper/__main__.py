"""The command line's entry: the script `gatekeeper`, or `python -m gatekeeper` if the script is not on the PATH."""

import sys

from .ground import ROOT


def main() -> None:
    """Runs the command line. An interrupt during its loading ends the process with 130 and without a message."""
    sys.path.insert(0, str(ROOT))
    try:
        from gatekeeper.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
