# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real browser in the box: Chromium without a window, asked over the WebDriver protocol by plain HTTP."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path
from typing import Any

from box import Box

PORT = 9515
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"]


def _ask(port: int, method: str, path: str, body: Any) -> Any:
    """For the agent: one call of the protocol."""
    import http.client  # pylint: disable=import-outside-toplevel
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, json.dumps(body) if body is not None else None,  # noqa: F821
                       {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())  # noqa: F821
    if isinstance(answer["value"], dict) and "error" in answer["value"]:
        raise RuntimeError(f"{path}: {answer['value']['error']}: {answer['value']['message'][:500]}")
    return answer["value"]


class Browser:
    """One tab, for `with`."""

    def __init__(self, box: Box, *, scripts: bool = True, width: int = 1280, height: int = 800, dark: bool = False):
        self._box = box
        self._driver = box.spawn(["chromedriver", f"--port={PORT}", "--silent"], stdout=subprocess.DEVNULL)
        Box.wait_for(lambda: self._is_up(), 30, "chromedriver listens")
        flags = [*FLAGS, f"--window-size={width},{height}", *(["--force-dark-mode"] if dark else [])]
        options: dict[str, Any] = {"args": flags, "binary": "/usr/bin/chromium"}
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self._path = f"/session/{session['sessionId']}"

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call("DELETE", self._path, None)
        finally:
            self._driver.terminate()
            self._driver.communicate()

    def _is_up(self) -> bool:
        try:
            return self._call("GET", "/status", None)["ready"]
        except AssertionError:
            return False

    def _call(self, method: str, path: str, body: Any) -> Any:
        return self._box.agent.call(_ask, PORT, method, path, body, timeout=90)

    def open(self, url: str) -> None:
        self._call("POST", f"{self._path}/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns, in the page."""
        return self._call("POST", f"{self._path}/execute/sync", {"script": script, "args": list(arguments)})

    def source(self) -> str:
        return self._call("GET", f"{self._path}/source", None)

    def complaints(self) -> list[str]:
        """What the page had the browser complain about since it was last asked: errors, broken policies."""
        return [entry["message"] for entry in self._call("POST", f"{self._path}/se/log", {"type": "browser"})
                if entry["level"] == "SEVERE"]

    def resize(self, width: int, height: int) -> None:
        self._call("POST", f"{self._path}/window/rect", {"width": width, "height": height})

    def screenshot(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self._call("GET", f"{self._path}/screenshot", None)))
