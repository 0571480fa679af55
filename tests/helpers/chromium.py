"""A real browser without a window, told what to do through a pipe: Chromium and its DevTools protocol, no library."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = None if PROGRAM else "this needs Chromium: install the Debian package 'chromium'"
PATIENCE = 60.0  # seconds that an answer may take
KEYS = {"Escape": 27, "Enter": 13, "ArrowRight": 39, "ArrowLeft": 37, "Tab": 9, " ": 32}
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-extensions", "--remote-debugging-pipe"),
)
HIGH = 20  # the least number of a file descriptor that is in nobody's way


class Browser:
    """One page of a browser. Use it as a context.

    Attributes:
        faults: what the console and the page's script complained about, and what was refused to load.
        requests: addresses that the page asked for, those of embedded data left out.
    """

    def __init__(self, profile: Path) -> None:
        self.faults: list[str] = []
        self.requests: list[str] = []
        self._profile, self._count, self._rest, self._session = profile, 0, b"", None

    def __enter__(self) -> Browser:
        (hears, told), (answers, said) = os.pipe(), os.pipe()
        # The browser reads file descriptor 3 and writes 4, which a process cannot be given by Python alone.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, HIGH) for end in (hears, said)]
        os.close(hears)
        os.close(said)
        shell = ("bash", "-c", f'exec "$@" 3<&{ends[0]} 4>&{ends[1]}', "bash")
        self._process = subprocess.Popen(
            [*shell, PROGRAM, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in ends:
            os.close(end)
        self._told, self._answers = told, answers
        os.set_blocking(answers, False)
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._told)
        os.close(self._answers)

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """The answer to a command of the protocol."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": given}
        if self._session and not method.startswith("Target."):
            message["sessionId"] = self._session
        os.write(self._told, json.dumps(message).encode() + b"\0")
        while (found := self._next()).get("id") != self._count:
            self._note(found)
        assert "error" not in found, (method, found["error"])
        return found["result"]

    def open(self, address: str, width: int = 1200, height: int = 900) -> None:
        """Show a page from its beginning, and wait until it is there."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url="about:blank")  # or a new fragment alone would load nothing
        self.call("Page.navigate", url=address)
        self.wait(f"location.href.startsWith({json.dumps(address[:60])}) && document.readyState === 'complete'")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within the block, scripts run in the page's frame, which has no origin and so a process of its own."""
        frames: list[str] = []
        until = time.monotonic() + PATIENCE
        while not frames:
            assert time.monotonic() < until, "the page has no such frame"
            targets = self.call("Target.getTargets")["targetInfos"]
            frames = [target["targetId"] for target in targets if target["type"] == "iframe"]
        outside = self._session
        self._session = self.call("Target.attachToTarget", targetId=frames[0], flatten=True)["sessionId"]
        try:
            self.wait("document.readyState === 'complete'")
            yield
        finally:
            self._session = outside

    def js(self, expression: str) -> Any:
        """The value of an expression of JavaScript, as JSON has it."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, (expression, found["exceptionDetails"])
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + PATIENCE
        while not self.js(condition):
            assert time.monotonic() < until, f"never true: {condition}"
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        for kind, more in (("keyDown", text), ("keyUp", {})):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key], **more)

    def picture(self, path: Path) -> None:
        """Write what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            assert time.monotonic() < until, "the browser does not answer"
            assert self._process.poll() is None, "the browser ended"
            try:
                self._rest += os.read(self._answers, 1 << 20)
            except BlockingIOError:
                time.sleep(0.005)
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.faults.append(str(about["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.faults.append(str(about["args"]))
            case "Log.entryAdded":
                self.faults.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                address = about["request"]["url"]
                self.requests += [] if address.startswith(("data:", "about:")) else [address]
