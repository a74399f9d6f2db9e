"""A real browser for the pages: headless Chromium, spoken to by its DevTools protocol over two pipes."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions", "--hide-scrollbars",
)  # fmt: skip
SECONDS = 60


class Browser:
    """One open page; ``problems``: console errors and warnings, uncaught exceptions; ``requests``: what was asked."""

    def __init__(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="browser-")
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        options = [CHROMIUM, *OPTIONS, f"--user-data-dir={self.folder}", "about:blank"]
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'  # Chromium reads from 3 and writes to 4
        self.process = subprocess.Popen(
            ["bash", "-c", command, "chromium", *options], pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._left, self._n, self.session = b"", 0, ""
        self.problems: list[str] = []
        self.requests: list[str] = []
        self.events: list[str] = []
        pages = self.send("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters):
        """Send one command and return its result; events before the answer are kept."""
        self._n += 1
        message = {"id": self._n, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._receive()
            if found.get("id") == self._n:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']}")
                return found["result"]

    def _receive(self):
        while b"\0" not in self._left:
            more = os.read(self._read, 1 << 20)
            if not more:
                raise RuntimeError("the browser has closed its pipe")
            self._left += more
        message, _, self._left = self._left.partition(b"\0")
        found = json.loads(message)
        self._note(found.get("method", ""), found.get("params", {}))
        return found

    def _note(self, method: str, about) -> None:
        self.events.append(method)
        if method == "Runtime.exceptionThrown":
            self.problems.append(str(about["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning"):
            self.problems.append(str(about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.problems.append(about["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def open(self, path: Path, width: int = 1000, height: int = 900) -> "Browser":
        """Open a file and wait until it has loaded."""
        self.problems.clear()
        self.requests.clear()
        self.events.clear()
        self.resize(width, height)
        self.send("Page.navigate", url=Path(path).absolute().as_uri())
        while "Page.loadEventFired" not in self.events:
            self._receive()
        return self

    def resize(self, width: int, height: int) -> None:
        """Give the window a size in CSS pixels."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def ask(self, script: str):
        """The value of a JavaScript expression."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + SECONDS
        while not self.ask(f"Boolean({script})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{script}: not true after {SECONDS} s; {self.problems}")
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key, as a reader would."""
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "PageUp": 33, "PageDown": 34, "ArrowLeft": 37, "ArrowRight": 39,
                 "ArrowDown": 40}  # fmt: skip
        about = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a PNG of the whole page, or of the window."""
        found = self.send("Page.captureScreenshot", captureBeyondViewport=whole, **(self._whole() if whole else {}))
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def _whole(self):
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        return {"clip": {**size, "scale": 1}}

    def close(self) -> None:
        """End this browser."""
        os.close(self._write)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        os.close(self._read)
        shutil.rmtree(self.folder, ignore_errors=True)
