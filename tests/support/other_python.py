"""The product run by another Python than ours; as a script it is `gatekeeper worker`.

`scripts/test` makes its folder where another Python is on the PATH.
"""

from __future__ import annotations

import os
from pathlib import Path

GATEKEEPER = Path(__file__).parents[2] / ".venv-other/bin/gatekeeper"

if __name__ == "__main__":
    os.execv(GATEKEEPER, [str(GATEKEEPER), "worker"])
