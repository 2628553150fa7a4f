"""Finding a checkpoint: what cannot be used is told, with a remedy, before torch is imported."""

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
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a checkpoint."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "musicgen_melody"}))
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 16)
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def test_a_folder_is_found_by_its_path(folder: Path) -> None:
    location = find(folder)
    assert (location.folder, location.revision) == (folder, None)
    assert (location.name, location.model_type) == (str(folder), "musicgen_melody")


def test_a_folder_under_home_may_be_written_with_a_tilde(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find(f"~/{folder.name}").folder == folder


@pytest.mark.parametrize("name", ["nowhere", "./nowhere/model", "/nowhere/at/all", "a b/c"])
def test_a_missing_folder_is_told_with_what_could_be_given(name: str) -> None:
    with pytest.raises(CheckpointUnusable, match=rf"'{name}': no such folder.*Hugging Face id"):
        find(name)


def test_no_name_is_not_the_current_folder() -> None:
    with pytest.raises(BadArgument, match="''"):
        find("")


def test_a_file_is_not_a_folder(folder: Path) -> None:
    with pytest.raises(CheckpointUnusable, match=r"is a file; give the folder"):
        find(folder / "model.safetensors")


def test_a_folder_of_something_else_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "musicgen"}))
    with pytest.raises(CheckpointUnusable, match=r"type 'musicgen', not a MusicGen Melody"):
        find(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "has no config.json"), ("{", "unreadable"), ("[]", "no object"), ("{}", "None")],
)
def test_a_configuration_that_is_none_is_told(folder: Path, text: str | None, said: str) -> None:
    (folder / "config.json").unlink()
    if text is not None:
        (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointUnusable, match=said):
        find(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "state_dict.bin", "model.pt"])
def test_pickled_weights_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    with pytest.raises(CheckpointUnusable, match=rf"{name}, a pickle.*save_pretrained"):
        find(folder)


def test_weights_that_are_missing_are_named(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointUnusable, match=r"model\.safetensors is missing"):
        find(folder)
    shards = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(shards))
    (folder / "model-1.safetensors").touch()
    with pytest.raises(CheckpointUnusable, match=r"model-2\.safetensors is missing"):
        find(folder)
    (folder / "model-2.safetensors").touch()
    assert find(folder).folder == folder
    (folder / "model.safetensors.index.json").write_text("{")
    with pytest.raises(CheckpointUnusable, match=r"index\.json is missing"):
        find(folder)


def test_a_missing_tokenizer_is_told(folder: Path) -> None:
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


def test_the_transformers_in_use_is_good() -> None:
    check_transformers("5.18.0")
    check_transformers()


def find_elsewhere(model: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`find` in a process with that Hugging Face cache: it reads its settings when imported."""
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
def test_a_hub_that_cannot_be_reached_is_one_line(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    done = find_elsewhere(f"{HUB_ID}@v1", tmp_path, **environment)
    recorder, torch_imported = done.stdout.splitlines()
    assert f"model '{HUB_ID}' at revision 'v1'" in recorder
    assert "cannot be fetched" in recorder and "give a folder" in recorder
    assert torch_imported == "False"
    assert done.stderr == ""


def cached(home: Path, folder: Path, *files: str) -> None:
    """What a hub's cache holds after those files were fetched."""
    cache = home / "hub" / f"models--{HUB_ID.replace('/', '--')}"
    snapshot = cache / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for file in files:
        shutil.copy(folder / file, snapshot)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)


@pytest.mark.parametrize("name", [HUB_ID, f"{HUB_ID}@main", f"{HUB_ID}@{COMMIT}"])
def test_what_was_fetched_is_used_without_the_network(
    folder: Path, tmp_path: Path, name: str
) -> None:
    cached(tmp_path, folder, "config.json", "model.safetensors", "tokenizer.json")
    done = find_elsewhere(name, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.stdout.splitlines() == [f"{HUB_ID} {COMMIT} True", "False"]


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_what_another_program_fetched_a_part_of_is_fetched_again(
    folder: Path, tmp_path: Path, missing: str
) -> None:
    files = {"config.json", "model.safetensors", "tokenizer.json"} - {missing}
    cached(tmp_path, folder, *files)
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever).start()
        find_elsewhere(HUB_ID, tmp_path, HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert any(HUB_ID in path for path in asked)


def test_a_decoder_alone_needs_no_tokenizer_to_be_whole(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "musicgen_melody_decoder"}))
    cached(tmp_path, folder, "config.json", "model.safetensors")
    done = find_elsewhere(HUB_ID, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert done.stdout.splitlines() == [f"{HUB_ID} {COMMIT} True", "False"]
