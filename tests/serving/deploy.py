"""Deploys config files of Serve on a Ray of its own, as `serve deploy` does. For the tests.

Each line on stdin is the path of a file; the answer, a line of JSON, is what became of it. The end
of stdin ends it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml


def main() -> None:
    """Deploy the files that stdin names."""
    ray, serve, schema = map(import_module, ("ray", "ray.serve", "ray.serve.schema"))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=4,
        object_store_memory=100 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        _node_ip_address="127.0.0.1",
        namespace="serve",
    )
    # Ray prints on stdout too.
    answers, sys.stdout = sys.stdout, sys.stderr
    has_begun = False
    for line in sys.stdin:
        text = Path(line.strip()).read_text()
        config = schema.ServeDeploySchema.model_validate(yaml.safe_load(text))
        if not has_begun:
            serve.start(
                proxy_location=config.proxy_location, http_options=config.http_options.model_dump()
            )
            has_begun = True
        serve.context._get_global_client().deploy_apps(config, _blocking=False)
        print(json.dumps(settled(serve)), file=answers, flush=True)
    serve.shutdown()
    ray.shutdown()


def settled(serve: Any) -> dict[str, Any]:
    """The application's status, once it is no longer being deployed."""
    while True:
        (application,) = serve.status().applications.values()
        if application.status in ("RUNNING", "DEPLOY_FAILED"):
            deployments = [each.message for each in application.deployments.values()]
            message = "\n".join([application.message, *deployments])
            return {"status": application.status.value, "message": message}
        time.sleep(0.1)


if __name__ == "__main__":
    main()
