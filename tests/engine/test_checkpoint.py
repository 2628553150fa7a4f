"""Finding a checkpoint: errors name a remedy, and come before torch is imported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bridge.engine.checkpoint import check_transformers, find
from bridge.errors import BadArgument, CheckpointUnusable

HUB_ID = "someone/melody-model"
EMPTY_WEIGHTS = (2).to_bytes(8, "little") + b"{}"
"""Safetensors without a tensor."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a checkpoint."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "musicgen_melody"}))
    (tmp_path / "model.safetensors").write_bytes(EMPTY_WEIGHTS)
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def test_a_folder_is_found_by_its_path(folder: Path) -> None:
    location = find(folder)
    assert (location.folder, location.revision) == (folder, None)
    assert (location.name, location.model_type) == (str(folder), "musicgen_melody")


def test_a_tilde_in_a_folder_means_the_home_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find(f"~/{folder.name}").folder == folder


@pytest.mark.parametrize("name", ["nowhere", "./nowhere/model", "/nowhere/at/all", "a b/c"])
def test_the_error_of_a_missing_folder_lists_the_possible_names(name: str) -> None:
    with pytest.raises(CheckpointUnusable, match=rf"'{name}': no such folder.*Hugging Face id"):
        find(name)


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(BadArgument, match="''"):
        find("")


def test_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointUnusable, match=r"is a file; give the folder"):
        find(folder / "model.safetensors")


def test_a_folder_of_something_else_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "musicgen"}))
    with pytest.raises(CheckpointUnusable, match=r"type 'musicgen', not a MusicGen Melody"):
        find(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "has no config.json"), ("{", "unreadable"), ("[]", "no object"), ("{}", "None")],
)
def test_a_missing_or_unusable_configuration_is_refused(
    folder: Path, text: str | None, message: str
) -> None:
    (folder / "config.json").unlink()
    if text is not None:
        (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointUnusable, match=message):
        find(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "state_dict.bin", "model.pt"])
def test_pickled_weights_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(CheckpointUnusable, match=rf"{name}, a pickle.*save_pretrained"):
        find(folder)


def test_the_error_names_the_missing_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointUnusable, match=r"model\.safetensors is missing"):
        find(folder)
    shards = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards))
    (folder / "model-1.safetensors").write_bytes(EMPTY_WEIGHTS)
    with pytest.raises(CheckpointUnusable, match=r"model-2\.safetensors is missing"):
        find(folder)
    (folder / "model-2.safetensors").write_bytes(EMPTY_WEIGHTS)
    assert find(folder).folder == folder
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(CheckpointUnusable, match=r"index\.json is missing"):
        find(folder)


def test_a_missing_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(CheckpointUnusable, match=r"tokenizer\.json or spiece\.model is missing"):
        find(folder)


def test_only_a_hub_id_has_a_revision(folder: Path) -> None:
    with pytest.raises(BadArgument, match="revision 'main'"):
        find(folder, "main")
    with pytest.raises(BadArgument, match="one too many"):
        find(f"{HUB_ID}@main", "main")


@pytest.mark.parametrize("version", ["4.57.1", "5.1.0", "5.17.0"])
def test_a_transformers_that_drops_the_conditions_is_refused(version: str) -> None:
    with pytest.raises(CheckpointUnusable, match=rf"{version}.*transformers>=5\.18"):
        check_transformers(version)


def test_the_installed_transformers_is_accepted() -> None:
    check_transformers("5.18.0")
    check_transformers()


def find_elsewhere(model: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `find` in a process with that Hugging Face cache: the hub reads settings on import."""
    code = (
        "import sys\n"
        "from bridge.engine.checkpoint import find\n"
        "from bridge.errors import CheckpointUnusable\n"
        "try:\n"
        "    location = find(sys.argv[1])\n"
        "    print(location.name, location.revision, location.folder.is_dir())\n"
        "except CheckpointUnusable as error:\n"
        "    print(error)\n"
        "print('torch' in sys.modules)\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, model],
        env={**os.environ, "HF_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize(
    "environment",
    [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}],
    ids=["offline", "unreachable"],
)
def test_the_error_of_an_unreachable_hub_is_one_line(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = find_elsewhere(f"{HUB_ID}@v1", tmp_path, **environment)
    message, torch_imported = done.stdout.splitlines()
    assert f"model '{HUB_ID}' at revision 'v1'" in message
    assert "cannot be fetched" in message and "give a folder" in message
    assert torch_imported == "False"
    assert done.stderr == ""


def fill_cache(home: Path, folder: Path, *files: str) -> None:
    """Make a hub's cache as it is after those files were fetched."""
    cache = home / "hub" / f"models--{HUB_ID.replace('/', '--')}"
    snapshot = cache / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for file in files:
        shutil.copy(folder / file, snapshot)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)


@pytest.mark.parametrize("name", [HUB_ID, f"{HUB_ID}@main", f"{HUB_ID}@{COMMIT}"])
def test_fetched_files_are_used_without_the_network(
    folder: Path, tmp_path: Path, name: str
) -> None:
    fill_cache(tmp_path, folder, "config.json", "model.safetensors", "tokenizer.json")
    done = find_elsewhere(name, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.stdout.splitlines() == [f"{HUB_ID} {COMMIT} True", "False"]


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_an_incomplete_snapshot_is_fetched_again(
    folder: Path, tmp_path: Path, missing: str
) -> None:
    files = {"config.json", "model.safetensors", "tokenizer.json"} - {missing}
    fill_cache(tmp_path, folder, *files)
    requested_paths: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested_paths.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever).start()
        find_elsewhere(HUB_ID, tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert any(HUB_ID in path for path in requested_paths)


def test_a_decoder_alone_is_complete_without_a_tokenizer(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "musicgen_melody_decoder"}))
    fill_cache(tmp_path, folder, "config.json", "model.safetensors")
    done = find_elsewhere(HUB_ID, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.stdout.splitlines() == [f"{HUB_ID} {COMMIT} True", "False"]


@pytest.mark.parametrize(
    "kept",
    [0, 4, 8, 5000, -1],
    ids=["nothing", "half a length", "no header", "half a header", "all but a byte"],
)
def test_weights_that_were_cut_are_refused_by_name(model: Path, tmp_path: Path, kept: int) -> None:
    folder = shutil.copytree(model, tmp_path / "cut")
    assert find(folder).model_type == "musicgen_melody"
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(CheckpointUnusable, match=r"model\.safetensors is cut, or is not"):
        find(folder)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("decoder", "num_hidden_layers", 1_000_000_000),
        ("decoder", "hidden_size", 1_000_000),
        ("decoder", "max_position_embeddings", 1_000_000_000),
        ("decoder", "num_codebooks", -1),
        ("text_encoder", "num_layers", 1e9),
        ("audio_encoder", "num_filters", "many"),
    ],
)
def test_sizes_that_the_weights_do_not_have_are_refused_by_name(
    model: Path, tmp_path: Path, section: str, key: str, value: object
) -> None:
    folder = shutil.copytree(model, tmp_path / "large")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config[section][key] = value
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointUnusable, match=rf"{section}\.{key}"):
        find(folder)


def test_a_configuration_that_is_a_pipe_or_is_nested_deeply_is_refused(folder: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such files in folders")
    path = folder / "config.json"
    path.write_text("[" * 100_000)
    with pytest.raises(CheckpointUnusable, match=r"config\.json is unreadable"):
        find(folder)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CheckpointUnusable, match=r"config\.json is unreadable.*regular file"):
        find(folder)
