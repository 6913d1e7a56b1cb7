"""The wheel's layout: everything of ours lies below one package (docs/adr/0034-one-distribution.md)."""

from setuptools import find_packages, setup

WHOLE = "direct_mail_gatekeeper"
PARTS = find_packages(include=["schemas*", "gatekeeper*", "streams*"])

setup(packages=[f"{WHOLE}.{part}" for part in (*PARTS, "docs")], package_dir={WHOLE: "."})
