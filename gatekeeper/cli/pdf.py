"""Makes a PDF from HTML with the Chromium of this machine, which embeds the fonts that the page uses."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from gatekeeper.ground.errors import UnavailableError

BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Names under which a Chromium is looked for on the PATH, the leanest first."""
FONTS = Path(str(files("gatekeeper.console").joinpath("static", "font.css"))).as_uri()
"""The address of the console's Japanese font on this machine."""
SECONDS = 60.0
"""Longest time to make a PDF."""


def pdf(html: str) -> bytes:
    """The page as PDF; raises UnavailableError (3) without a Chromium, or if it fails."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise UnavailableError("error.no_chromium")
    with TemporaryDirectory(prefix="gatekeeper-letter-") as folder:
        page, made = Path(folder, "letter.html"), Path(folder, "letter.pdf")
        page.write_text(html, "utf-8")
        words = [browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", f"--user-data-dir={folder}/profile"]
        words += ["--no-sandbox"] if os.geteuid() == 0 else []  # which Chromium demands of root; the page is our own
        words += [f"--print-to-pdf={made}", page.as_uri()]
        try:
            done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)
            if done.returncode == 0:
                return made.read_bytes()
            detail: object = done.returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            detail = type(error).__name__
    raise UnavailableError("error.pdf_failed", detail=detail)
