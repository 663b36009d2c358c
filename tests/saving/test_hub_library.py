"""The library `huggingface_hub` itself, where it is installed: it asks a server in this process, then its cache alone."""

import hashlib
import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("huggingface_hub") is None, reason="needs the extra [hub], huggingface_hub")

_COMMIT = 40 * "a"
_FILES = {"denoiser.h5": b"the only network", "README.md": b"# a card", "sub/other.txt": b"text"}
# Asks for each address and prints what came: the content, or the message.
_CODE = """
import json, sys
from keras_mri.errors import InputError
from keras_mri.saving import hub
found = {}
for address in sys.argv[1:]:
    try:
        found[address] = hub.fetch(address).read_text()
    except InputError as error:
        found[address] = str(error)
card = hub.fetch_card(sys.argv[1])
print(json.dumps({**found, "card": card and card.read_text()}))
"""


class _Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does for one repository, owner/name."""

    def do_HEAD(self):  # noqa: N802 named by http.server
        self._answer()

    def do_GET(self):  # noqa: N802 named by http.server
        self._answer()

    def _answer(self):
        path = self.path.partition("?")[0]
        if not path.startswith(("/api/models/owner/name", "/owner/name/")):
            return self._send(401, b'{"error": "Invalid username or password."}', {"X-Error-Code": "RepoNotFound"})
        if path.startswith("/api/models/owner/name"):
            if path.endswith("/revision/v9"):
                return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            siblings = [{"rfilename": name, "size": len(content)} for name, content in _FILES.items()]
            facts = {"id": "owner/name", "modelId": "owner/name", "sha": _COMMIT, "private": False, "tags": [], "siblings": siblings}
            return self._send(200, json.dumps(facts).encode(), {"Content-Type": "application/json"})
        name = path.split("/", 5)[5]
        if name not in _FILES:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": _COMMIT})
        content = _FILES[name]
        return self._send(200, content, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": _COMMIT})

    def _send(self, status, content, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def endpoint():
    """Address of a hub on this computer."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_library_downloads_and_keeps_a_copy_for_the_time_without_a_connection(endpoint, in_this_checkout, tmp_path):
    environment = in_this_checkout | {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    environment = {name: value for name, value in environment.items() if "proxy" not in name.lower()}

    def asked(*addresses, **more):
        done = subprocess.run([sys.executable, "-c", _CODE, *addresses], capture_output=True, text=True, env=environment | more)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    first, second = "hf://owner/name", "hf://owner/name/denoiser.h5@v1"
    found, _ = asked(first, second, "hf://owner/name@v9", "hf://owner/other", "hf://owner/na--me")
    assert found[first] == found[second] == "the only network" and found["card"] == "# a card"
    assert "has no revision 'v9'" in found["hf://owner/name@v9"]
    assert "there is no hf://owner/other on the Hugging Face hub, or it is private" in found["hf://owner/other"]
    assert "is no name of the Hugging Face hub" in found["hf://owner/na--me"]
    # The hub cannot be reached: by wish, and because nobody answers.
    for away in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        found, said = asked(first, second, "hf://owner/name@v2", "hf://owner/other", **away)
        assert found[first] == found[second] == "the only network" and found["card"] == "# a card"
        assert "cannot be reached" in found["hf://owner/name@v2"] and "this computer has no copy" in found["hf://owner/other"]
        assert "Traceback" not in said
    assert not list((tmp_path / "hf").rglob("*.incomplete"))
    assert os.listdir(tmp_path) == ["hf"]
