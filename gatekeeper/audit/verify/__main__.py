"""Checks an export of the audit log, or one decision's proof: offline, and without any of the gatekeeper's own code.

    python -I verify.py DIR [--log NAME] [--witness KEY] [--require-witness] [--min-size N] [-v | --json]
    python -I verify.py --proof FILE, with the same options

`--out PAGE` also writes the result as an HTML page.
It needs only Python 3.11 or later and the package `cryptography`.
The first line gives the verdict. The causes follow, and `-v` shows all findings. Exit codes:

* 0: INTACT, everything is as it was signed and sealed; for a proof PROVEN, its one decision is
* 1: CHANGED, something was changed
* 2: the call is wrong
* 3: the output cannot be written
* 4: CANNOT TELL, it cannot be verified
* 5: CANNOT TELL, part of it is missing
* 130: interrupted

The code is the same where nobody reads the output to its end.

Tree hashes are those of RFC 6962. The log's files are those of C2SP tlog-tiles, and the checkpoint a C2SP signed note.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.audit.verify.certificate import certificate
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import Trouble, tell
from gatekeeper.audit.verify.proof_check import check_proof
from gatekeeper.audit.verify.sentences import language, say
from gatekeeper.audit.verify.trust import read_witness


def _failed(exit_code: int, trouble: Trouble) -> int:
    sys.stderr.write(say(trouble.code, language(), **trouble.values) + "\n")
    return exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the check as a command; the result is its exit code."""
    parser = argparse.ArgumentParser(prog="verify.py", description=(__doc__ or "").partition("\n")[0])
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("folder", nargs="?", type=Path, metavar="DIR")
    group.add_argument("--proof", type=Path, metavar="FILE")
    parser.add_argument("--log", metavar="NAME")
    parser.add_argument("--witness", metavar="KEY")
    parser.add_argument("--require-witness", action="store_true")
    parser.add_argument("--min-size", type=int, metavar="N")
    parser.add_argument("--out", type=Path, metavar="PAGE")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        if options.min_size is not None and options.min_size < 1:
            raise Trouble("min_size")
        witness = None if options.witness is None else read_witness(options.witness)
        check = check_proof if options.proof else verify
        report = check(
            options.proof or options.folder,
            witness=witness,
            min_size=options.min_size,
            log=options.log,
            require_witness=options.require_witness,
        )
        if options.out is not None:
            name = (options.proof or options.folder).resolve().name
            options.out.write_text(certificate(report, name, datetime.now(UTC)), "utf-8")
        tell(report, as_json=options.json, whole=options.verbose)
    except Trouble as trouble:
        return _failed(2, trouble)
    except OSError as error:
        return _failed(3, Trouble("output", detail=error.strerror))
    except KeyboardInterrupt:
        return 130
    return report.exit_code


if __name__ == "__main__":
    sys.exit(main())
