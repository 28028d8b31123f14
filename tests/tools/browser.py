"""A headless Chromium that speaks its debugging protocol over two pipes: what the page tests need of it, no library."""
import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

LIMIT_S = 30


class Browser:
    """One page in one browser; to be used with `with`."""

    def __init__(self, dark=False, width=1300, height=900):
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if not program:
            raise RuntimeError("no chromium: apt-get install chromium")
        to_read, self.out = os.pipe()
        self.inp, to_write = os.pipe()
        self.profile = tempfile.mkdtemp(prefix="ktrial-browser-")
        for fd in (to_read, to_write):
            os.set_inheritable(fd, True)
        shell = f"exec 3<&{to_read} 4>&{to_write}; exec \"$@\""
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "bash", program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=(to_read, to_write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.number, self.kept, self.session = 0, b"", None
        self.requests, self.problems = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.inp)
        shutil.rmtree(self.profile, ignore_errors=True)

    def read(self):
        while b"\0" not in self.kept:
            more = os.read(self.inp, 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended")
            self.kept += more
        line, self.kept = self.kept.split(b"\0", 1)
        return json.loads(line)

    def note(self, message):
        """Events: what the page asks the network for, and what goes wrong in it."""
        what, data = message.get("method"), message.get("params", {})
        if what == "Network.requestWillBeSent":
            self.requests.append(data["request"]["url"])
        elif what == "Runtime.exceptionThrown":
            self.problems.append(str(data["exceptionDetails"].get("exception", data["exceptionDetails"]))[:500])
        elif what == "Runtime.consoleAPICalled" and data["type"] in ("error", "assert"):
            self.problems.append(str(data["args"])[:500])

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.note(answer)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def value(self, expression):
        """What a JavaScript expression comes to; promises are awaited."""
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise RuntimeError(f"{expression}: {got['exceptionDetails']}"[:600])
        return got["result"].get("value")

    def wait(self, expression):
        """Until it is true; False when it never is."""
        end_s = time.monotonic() + LIMIT_S
        while time.monotonic() < end_s:
            if self.value(f"Boolean({expression})"):
                return True
            time.sleep(0.05)
        return False

    def key(self, name, text=None):
        codes = {"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9}
        common = {"key": name, "windowsVirtualKeyCode": codes.get(name, ord(name[0].upper())), "code": name}
        text = "\r" if name == "Enter" else name if len(name) == 1 else text
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def shot(self, path, full=False):
        got = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        with open(path, "wb") as f:
            f.write(base64.b64decode(got["data"]))
