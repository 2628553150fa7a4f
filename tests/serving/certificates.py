"""Certificates of the tests' own, made by the command openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def openssl(*arguments: str | Path) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A new self-signed certificate for a server's name, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the command openssl")
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    openssl(
        *("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", "2"),
        *("-out", paths[0], "-keyout", paths[1]),
    )
    paths[1].chmod(0o600)
    return paths
