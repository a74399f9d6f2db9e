"""Everything that an online run sends, recorded by a server that answers as W&B's does."""

import json
import re
import subprocess
import sys
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import write_cohort
from tests.test_tracking import CANARY, KEY, ROOT, SMALL, environment

ENTITY = {"id": "E", "name": "somebody"}
BUCKET = {"id": "B", "name": "r", "displayName": "r", "description": "", "config": "{}", "sweepName": None}
FLAGS = {"flags": "{}", "email": "", "teams": {"edges": []}, "apiKeys": {"edges": []}}


def answer(variables: dict, url: str) -> dict:
    """What W&B would say, to whatever was asked."""
    upload = {"id": "F", "name": "m", "displayName": "m", "uploadUrl": f"{url}/upload", "uploadHeaders": []}
    names = variables.get("files") or []
    return {
        "viewer": {"id": "V", "username": "somebody", "entity": "somebody", **FLAGS},
        "serverInfo": {"cliVersionInfo": {"min_cli_version": "0.0.1", "max_cli_version": "99.0.0"}, "features": []},
        "upsertBucket": {
            "bucket": {**BUCKET, "historyLineCount": 0, "project": {"id": "P", "name": "p", "entity": ENTITY}},
            "inserted": True,
        },
        "createRunFiles": {
            "runID": "r", "uploadHeaders": [],
            "files": [{"name": name, "uploadUrl": f"{url}/upload"} for name in names if isinstance(name, str)],
        },
        "createArtifact": {"artifact": {"id": "A", "state": "PENDING", "artifactSequence": {"id": "S"}}},
        "createArtifactManifest": {"artifactManifest": {"id": "M", "file": upload}},
        "createArtifactFiles": {"files": {"edges": []}},
        "updateArtifactManifest": {"artifactManifest": {"id": "M", "file": upload}},
        "commitArtifact": {"artifact": {"id": "A", "digest": "d"}},
        "useArtifact": {"artifact": {"id": "A"}},
        "notifyScriptableRunAlert": {"success": True},
        "model": {"bucket": None},
        "project": {"run": None, "artifact": None, "artifactType": None},
    }  # fmt: skip


class Recorder(ThreadingHTTPServer):
    """Remembers what each request was and all that it said."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.said: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"
        Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that goes away is none."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        what, reply = self.command, {}
        if self.path == "/graphql":
            asked = json.loads(body)
            what = re.search(r"(?:mutation|query)\s+(\w+)", asked["query"])[1]
            reply = {"data": answer(asked.get("variables") or {}, self.server.url)}
        self.server.said.append((what, f"{self.path}\n{self.headers}\n{body}"))
        content = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST  # noqa: N815 - named by the library

    def log_message(self, *args):
        pass


@pytest.mark.slow
def test_an_online_run_sends_lineage_and_numbers_and_nothing_that_tells_who(tmp_path_factory):
    folder = tmp_path_factory.mktemp(CANARY)
    cohort = write_cohort(folder / "cohort")
    options = [f"cohort={cohort.root}", f"work_dir={folder / 'work'}", *SMALL, "logger.mode=online"]
    server = Recorder()
    done = subprocess.run(
        [sys.executable, "-m", "synthpet.evaluate", *options],
        env=environment(WANDB_BASE_URL=server.url, WANDB_API_KEY=KEY),
        cwd=ROOT, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    server.shutdown()
    assert done.returncode == 0, done.stderr
    assert "W&B" not in done.stdout
    requests = Counter(what for what, _ in server.said)
    assert min(requests[name] for name in ("UpsertBucket", "UseArtifact", "CommitArtifact", "CreateRunFiles")) > 0
    everything = "\n".join(words for _, words in server.said)
    assert "quality/ssim" in everything
    assert "train/patches_per_second" in everything
    for private in (CANARY, r"sub-\d", str(ROOT), re.escape(sys.executable), re.escape(f"{Path.home()}/")):
        found = re.search(f".{{0,80}}{private}.{{0,80}}", everything)
        assert found is None, found[0]
