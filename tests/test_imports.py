"""The import graph of docs/architecture.md, and what may not load torch or PortAudio."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bridge

PACKAGE = Path(bridge.__file__).parent
VOCABULARY = {"audio", "timing", "chroma", "spectrum", "commands", "errors", "events"}
GROUND = {
    "config": set[str](),
    "process": set[str](),
    "soundcard": {"process"},
    "midi": {"process"},
    "hotkeys": {"process", "config"},
    "clock": {"process", "midi"},
}
"""The folders that stages build on, and what each of them may import beside the vocabulary."""
STAGES = {
    "control": {"config", "process", "midi", "hotkeys"},
    "capture": {"config", "process", "clock", "soundcard", "midi"},
    "melody": {"config", "process"},
    "engine": {"config", "process"},
    "clip": {"config", "process"},
    "delivery": {"config", "process", "clock", "soundcard"},
}
HOSTS = {"hosts": {"config", "process", "control", "delivery"}}
"""What the side of a DAW is made of; only the daemon and the tools import it."""
TORCH = {"torch", "transformers", "tokenizers", "safetensors", "huggingface_hub"}
ENGINE_NEEDS = TORCH | {"numpy", "packaging", "yaml"}
"""The packages of a bare GPU box with torch and transformers."""
ENGINE_TAKES = {"onnx", "onnxruntime"}
"""The packages that the engine can do without."""
STEMS_NEED = {"demucs"}
"""What the extra `stems` installs."""
MOST_TIMES_NUMPY = 6
"""Limit of a command's processor time, in imports of numpy (0.09 s): a torch import takes 13."""


def modules() -> Iterator[tuple[str, Path]]:
    """Each module of the package: its dotted name below `bridge`, and its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), path


def imported(path: Path) -> set[str]:
    """Dotted names of a file's imports at any level, without those for type checking alone."""
    names: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        pending += ast.iter_child_nodes(node)
    return names


def test_no_stage_imports_another_stage_or_what_wires_them() -> None:
    seen = set()
    for module, path in modules():
        part = module.split(".")[0]
        if part in VOCABULARY:
            allowed = VOCABULARY
        elif part in GROUND | STAGES | HOSTS:
            allowed = VOCABULARY | {part} | (GROUND | STAGES | HOSTS)[part]
        else:
            continue
        seen.add(part)
        if part == "engine":
            # load("pocket") needs the embedded checkpoint's folder, and nothing else.
            allowed = allowed | {"pocket.checkpoint_folder"}
        for name in imported(path):
            if name.startswith("bridge."):
                inner = name.removeprefix("bridge.")
                assert {inner, inner.split(".")[0]} & allowed, f"{module} imports {name}"
    assert seen == VOCABULARY | GROUND.keys() | STAGES.keys() | HOSTS.keys()


def test_the_vocabulary_needs_numpy_and_soxr_alone() -> None:
    for module, path in modules():
        if module in VOCABULARY:
            assert third_party(path) <= {"numpy", "soxr"}, module


def test_only_engine_pocket_and_training_import_torch() -> None:
    for module, path in modules():
        if module.split(".")[0] not in ("engine", "pocket", "training"):
            assert not third_party(path) & TORCH, module


def test_the_engine_runs_on_a_bare_gpu_box() -> None:
    for module, path in modules():
        if module.split(".")[0] == "engine":
            # Each is imported only when it is used.
            extra = {
                "engine.compose": {"peft"},
                "engine.stems": STEMS_NEED,
                "engine.process.metered_socket": {"websockets"},
                "engine.process.server_connection": {"websockets"},
            }.get(module, set())
            assert third_party(path) <= ENGINE_NEEDS | ENGINE_TAKES | extra, module


def test_the_package_itself_imports_nothing() -> None:
    # Every command imports `bridge` first, before Ctrl-C is handled.
    assert imported(PACKAGE / "__init__.py") == set()


@pytest.mark.parametrize(
    "module",
    [
        "__main__",
        "cli",
        "config",
        "control.midi",
        "control.osc",
        "clock.clocks",
        "soundcard.listener",
        "soundcard.player",
        "capture.begin",
        "engine",
        "engine.process.supervisor",
        "melody",
        "clip",
        "delivery",
        "delivery.playback",
        "pocket",
        "rendering.plan",
        "rendering.render",
        "daemon.daemon",
        "hosts.ardour.companion",
        "tools.ardour",
        "tools.send",
        "tools.doctor",
        "tools.calibrate",
        "tools.midi",
        "tools.clips",
        "tools.clip_page",
        "tools.clip_changes",
        "tools.again",
        "rendering.again",
        "rendering.batch",
        "tools.bench_engine",
        "serving.tokens",
        "tools.token",
        "tools.sizing",
        "serving.application",
        "serving.server",
        "tools.serve",
    ],
)
def test_importing_loads_neither_torch_nor_portaudio_nor_scipy(module: str) -> None:
    unwanted = sorted(TORCH | {"sounddevice", "matplotlib", "scipy"})
    script = f"import sys, bridge.{module}; print([m for m in {unwanted} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["render", "--help"],
        ["presets"],
        ["clips", "--clips", "nowhere"],
        ["keep", "nothing", "--clips", "nowhere"],
        ["render", "--prompt", "keys", "--bars", "0"],
        ["render", "nowhere.wav"],
        ["render", "--prompt", "keys", "--model", "nowhere/at/all"],
        ["run", "--osc-port", "x"],
        ["send", "presets"],
        ["token", "add", "a b"],
        ["sizing", "0"],
    ],
    ids=" ".join,
)
def test_help_and_refusals_take_well_under_a_second(arguments: list[str]) -> None:
    if sys.platform == "win32":
        pytest.skip("processor time of children is POSIX's")
    # Alternately, and as a ratio: a busy machine slows both down.
    pairs = [
        (processor_seconds("-m", "bridge", *arguments), processor_seconds("-c", "import numpy"))
        for _ in range(3)
    ]
    command, numpy = map(min, zip(*pairs, strict=True))
    assert command < MOST_TIMES_NUMPY * numpy


def processor_seconds(*arguments: str) -> float:
    """The processor time that Python takes with these arguments."""
    if sys.platform == "win32":
        raise NotImplementedError("needs POSIX")
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def third_party(path: Path) -> set[str]:
    """The top-level packages that a file imports, without the standard library's and ours."""
    first = {name.split(".")[0] for name in imported(path)}
    return first - set(sys.stdlib_module_names) - {"bridge", "__future__"}


POSIX_ONLY = {
    *("crypt", "fcntl", "grp", "nis", "posix", "pty", "pwd", "readline", "resource", "spwd"),
    *("syslog", "termios", "tty"),
}
"""Modules of the standard library that Windows lacks."""


def test_no_module_imports_what_windows_lacks_when_it_is_imported() -> None:
    for module, path in modules():
        pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
        while pending:
            node = pending.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(node, ast.Import):
                names = {alias.name.split(".")[0] for alias in node.names}
                assert not names & POSIX_ONLY, f"{module} imports {names}"
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                assert node.module.split(".")[0] not in POSIX_ONLY, f"{module}: {node.module}"
            pending += ast.iter_child_nodes(node)
