"""The files of `deploy/`: their arguments are the server's, and they ask for tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.serving import deployment
from bridge.serving.deployment import EngineDeployment

DEPLOY = Path(__file__).parents[2] / "deploy"


def applications(name: str) -> list[dict[str, Any]]:
    """The applications of a Serve config file, which KubeRay has as a text inside its own."""
    content = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    if "spec" in content:
        content = yaml.safe_load(content["spec"]["serveConfigV2"])
    found: list[dict[str, Any]] = content["applications"]
    return found


@pytest.mark.parametrize("name", ["serve.yaml", "rayservice.yaml"])
def test_the_arguments_are_the_servers_and_ask_for_tokens(name: str) -> None:
    (application,) = applications(name)
    module, _, function = application["import_path"].partition(":")
    assert module == deployment.__name__
    assert callable(getattr(deployment, function))
    engine = EngineDeployment.from_arguments(application["args"])
    assert engine.replica.tokens == Path("/etc/melody-bridge/tokens.json")


@pytest.mark.parametrize("name", ["serve.yaml", "rayservice.yaml"])
def test_ray_reads_the_file(name: str) -> None:
    schema = pytest.importorskip("ray.serve.schema", reason="needs the extra `ray`")
    content = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    if "spec" in content:
        content = yaml.safe_load(content["spec"]["serveConfigV2"])
    else:
        # Ray looks for the files at once, on the machine that they are for.
        del content["http_options"]["ssl_certfile"], content["http_options"]["ssl_keyfile"]
    read = schema.ServeDeploySchema.model_validate(content)
    assert [each.name for each in read.applications] == ["engine"]
