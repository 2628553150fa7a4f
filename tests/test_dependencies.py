"""`constraints.txt` and the Makefile: what is installed, and which tests `make test` selects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from itertools import chain, product
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="ascii").splitlines()


def declared() -> list[Requirement]:
    """The core and the optional dependencies of pyproject.toml, each once."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = {*project["dependencies"], *chain(*project["optional-dependencies"].values())}
    return [Requirement(line) for line in sorted(lines)]


def test_constraints_are_exact_sorted_and_name_each_package_once() -> None:
    lines = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in CONSTRAINTS]
    names = [canonicalize_name(line[1]) for line in lines if line]
    assert len(names) == len(CONSTRAINTS), "a line is not NAME==VERSION"
    assert len(set(names)) == len(names)
    assert sorted(CONSTRAINTS, key=str.lower) == CONSTRAINTS


@pytest.mark.parametrize("requirement", declared(), ids=lambda requirement: requirement.name)
def test_every_dependency_has_a_constraint_within_its_range(requirement: Requirement) -> None:
    versions = {
        canonicalize_name(name): version
        for name, _, version in (line.partition("==") for line in CONSTRAINTS)
    }
    assert Version(versions[canonicalize_name(requirement.name)]) in requirement.specifier


def dry_run(*arguments: str) -> list[str]:
    """The commands that make would run from a fresh clone."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    done = subprocess.run(
        [make, "--dry-run", "--no-print-directory", "VENV=not-there", *arguments],
        cwd=ROOT,
        # Run by `make test SLOW=1`, this make would take over that one's variables.
        env={
            name: value
            for name, value in os.environ.items()
            if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "SLOW")
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("target", ["demo", "test", "check", "eval", "bench", "soak", "device"])
def test_every_target_installs_with_the_constraints(target: str) -> None:
    installs = [line for line in dry_run(target) if "--editable" in line]
    assert installs
    assert all("pip install --quiet --constraint constraints.txt " in line for line in installs)


def test_torch_is_installed_in_the_tested_version_from_any_index() -> None:
    (pin,) = (line for line in CONSTRAINTS if line.startswith("torch=="))
    for arguments in ([], ["TORCH_INDEX=https://example.org/whl"]):
        (line,) = (line for line in dry_run("demo", *arguments) if "--index-url" in line)
        assert f"'{pin}'" in line


@pytest.mark.parametrize("slow", [False, True])
def test_make_test_runs_each_selected_test_in_exactly_one_pass(slow: bool) -> None:
    lines = dry_run("test", *["SLOW=1"] * slow)
    (line,) = (line for line in lines if " pytest " in line)
    passes = re.findall(r"-m '([^']+)'", line)
    assert len(passes) == 2
    for markers in product([False, True], repeat=2):
        marks = dict(zip(("exclusive", "slow"), markers, strict=True))
        # pytest's marker expressions are written as Python's.
        selected = sum(eval(expression, {}, marks) for expression in passes)
        assert selected == (slow or not marks["slow"])
