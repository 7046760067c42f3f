#!/usr/bin/env python3
"""Reports in Chromium: nothing is requested, nothing complains, nothing overflows, and the legend hides lines.

    python3 .ci/browser.py [--browser PATH] [--pictures FOLDER] REPORT.html ...

Each report is opened at desktop and phone width, light and dark, and used by mouse and by keyboard. Needs nothing but
Python and Chromium: it speaks the DevTools protocol over a pipe. Exit code 1 with what was wrong.
"""

import argparse
import base64
import fcntl
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile

WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
SCHEMES = ("light", "dark")
PATIENCE = 120


class Browser:
    """A Chromium of our own, and one tab in it."""

    def __init__(self, program, profile):
        # The browser reads from 3 and writes to 4; the ends are kept clear of both until it starts.
        high = lambda fd: fcntl.fcntl(fd, fcntl.F_DUPFD, 10)
        (its_in, our_out), (our_in, its_out) = (tuple(map(high, os.pipe())) for _ in range(2))
        arguments = [
            program, "--headless", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--hide-scrollbars",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-extensions",
        ]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")

        def connect():
            os.dup2(its_in, 3)
            os.dup2(its_out, 4)

        self.process = subprocess.Popen(arguments, close_fds=False, preexec_fn=connect, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(its_in)
        os.close(its_out)
        self.input, self.output, self.rest = our_in, our_out, b""
        self.number, self.events, self.session = 0, [], None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.input], [], [], PATIENCE)
            piece = os.read(self.input, 1 << 16) if ready else b""
            if not piece:
                raise RuntimeError("the browser ended" if ready else f"the browser was silent for {PATIENCE} s")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(message)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, url):
        """Loads a page and hands back nothing before it is whole."""
        self.events.clear()
        self("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.receive()

    def js(self, code):
        """The value of an expression; errors are errors here too."""
        result = self("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{code}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def click(self, selector):
        """A real click in the middle of an element."""
        query = f"document.querySelector({json.dumps(selector)})"
        x, y = self.js(
            f"(() => {{ const e = {query}; e.scrollIntoView({{block: 'center'}}); const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, key, code, number):
        text = {"Tab": {}}.get(key, {"text": key})
        self("Input.dispatchKeyEvent", type="keyDown", key=key, code=code, windowsVirtualKeyCode=number, **text)
        self("Input.dispatchKeyEvent", type="keyUp", key=key, code=code, windowsVirtualKeyCode=number)

    def picture(self, path):
        self.js("window.scrollTo(0, 0)")
        size = self("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 12000), "scale": 1}
        data = self("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        self.session = None
        try:
            self("Browser.close")
        except (RuntimeError, OSError):
            pass
        self.process.wait(timeout=20)


def seen(browser, arm):
    """How many drawn parts of an arm are on the page, and how many there are."""
    return browser.js(f"(() => {{ const all = [...document.querySelectorAll('.plot .arm{arm}')]; return [all.filter((e) => e.getClientRects().length > 0).length, all.length]; }})()")


def check(browser, url, width, scheme, fail):
    """Uses a page and reports what is wrong with it."""
    columns, rows = WIDTHS[width]
    browser("Emulation.setDeviceMetricsOverride", width=columns, height=rows, deviceScaleFactor=1, mobile=width == "phone")
    media = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    browser("Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in media.items()])
    browser.open(url)

    overflow = browser.js("document.documentElement.scrollWidth - window.innerWidth")
    if overflow > 0:
        wide = browser.js(
            "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1"
            " && !e.parentElement.closest('.scroll, svg')).slice(0, 4).map((e) => e.outerHTML.slice(0, 120))"
        )
        fail(f"is {overflow} px wider than the window: {wide}")
    background = browser.js("getComputedStyle(document.body).backgroundColor")
    bright = sum(map(int, background[4:-1].split(",")[:3])) > 380
    if bright != (scheme == "light"):
        fail(f"background {background} in the {scheme} scheme")

    # The first stop of the keyboard is a visible way past everything.
    browser.key("Tab", "Tab", 9)
    stop = browser.js("(() => { const e = document.activeElement; return [e.className, e.getBoundingClientRect().bottom, getComputedStyle(e).outlineStyle]; })()")
    if stop[0] != "skip" or stop[1] <= 0 or stop[2] == "none":
        fail(f"the first stop of the keyboard is {stop}")

    if browser.js("document.querySelectorAll('.plot .arm1').length") > 0:
        button = '.legend button[data-arm="1"]'
        pressed = lambda: browser.js(f"[...document.querySelectorAll({json.dumps(button)})].map((b) => b.getAttribute('aria-pressed'))")
        # A page of many arms hides most at first.
        browser.js("document.querySelector('button[data-all=\"true\"]')?.click()")
        before, others = seen(browser, 1), seen(browser, 0)
        browser.click(button)
        hidden = seen(browser, 1)
        if before[0] == 0 or hidden[0] != 0 or set(pressed()) != {"false"}:
            fail(f"a click on the legend left {hidden[0]} of {before[0]} parts, pressed {pressed()}")
        if seen(browser, 0) != others:
            fail("the click hid another arm's lines")
        browser.js(f"document.querySelector({json.dumps(button)}).focus()")
        browser.key(" ", "Space", 32)
        if seen(browser, 1) != before or set(pressed()) != {"true"}:
            fail("the space bar did not show the line again")
        if browser.js(f"document.querySelector({json.dumps(button)}).matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle") in (False, "none"):
            fail("one cannot see which legend entry has the focus")
        if browser.js("document.querySelectorAll('button[data-all]').length"):
            browser.click('button[data-all="false"]')
            if seen(browser, 0)[0] or seen(browser, 1)[0]:
                fail("`Hide all` left lines")
            browser.click('button[data-all="true"]')
            if seen(browser, 0) != others or seen(browser, 1) != before:
                fail("`Show all` left lines out")
        browser.js("document.activeElement.blur(); document.dispatchEvent(new PointerEvent('pointerover'))")

    for at in range(browser.js("document.querySelectorAll('summary').length")):
        state = f"document.querySelectorAll('details')[{at}].open"
        was = browser.js(state)
        browser.js(f"document.querySelectorAll('summary')[{at}].focus()")
        browser.key("\r", "Enter", 13)
        if browser.js(state) == was:
            fail(f"details {at} does not answer the keyboard")
        browser.js(f"{state} = true")
    browser.js("document.activeElement.blur()")
    if browser.js("document.documentElement.scrollWidth - window.innerWidth") > 0:
        fail("is wider than the window with all details open")

    requests = [event["params"]["request"]["url"] for event in browser.events if event["method"] == "Network.requestWillBeSent"]
    if [request for request in requests if request != url]:
        fail(f"requests {requests}")
    for event in browser.events:
        if event["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            fail(f"the console says {json.dumps(event['params'])[:300]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None))
    parser.add_argument("--pictures", type=pathlib.Path, help="where pictures go: NAME-WIDTH-SCHEME.png, NAME being the report's folder")
    parser.add_argument("reports", nargs="+", type=pathlib.Path)
    options = parser.parse_args()
    if not options.browser:
        parser.error("no Chromium is installed: name one with --browser")
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    wrong = []
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(options.browser, profile)
        try:
            for report in options.reports:
                report = report.resolve(strict=True)
                for width in WIDTHS:
                    for scheme in SCHEMES:
                        name = f"{report.parent.name}-{width}-{scheme}"
                        check(browser, report.as_uri(), width, scheme, lambda text, name=name: wrong.append(f"{name}: {text}"))
                        if options.pictures:
                            browser.picture(options.pictures / f"{name}.png")
                        print(name, flush=True)
        finally:
            browser.close()
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
