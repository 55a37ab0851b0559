"""The dashboard without a pointer, and without anybody who looks at it."""

import http.client
import json

from page import is_live
from support import check, wait_for

TAB, ENTER, ESCAPE = "\ue004", "\ue007", "\ue00c"


def keyboard(browser, page):
    browser.go(page)
    browser.press(TAB)
    told = browser.sync("return document.activeElement.textContent")
    check("the first stop is the link past the head", told.startswith("Skip"), told)
    seen = browser.sync("const box = document.activeElement.getBoundingClientRect(); return box.top >= 0 && box.height > 0")
    check("and can be seen", seen, seen)
    wait_for("codes to choose", lambda: browser.sync("return document.querySelectorAll('.code-row').length > 1"))
    at_code = "return document.activeElement.matches('.code-row:focus-visible')"
    stops = next((n for n in range(100) if browser.press(TAB) or browser.sync(at_code)), None)
    check("the stops lead to the codes, where the focus can be seen", stops is not None, stops)
    code = browser.sync("return document.activeElement.querySelector('code').textContent")
    browser.press(ENTER)
    wait_for("the code that was pressed", lambda: browser.url().endswith(f"#code={code}"))
    pressed = "return document.activeElement.matches('.code-row') && document.activeElement.getAttribute('aria-pressed')"
    wait_for("it to say so with the focus still on it", lambda: browser.sync(pressed) == "true")
    browser.press(ESCAPE)
    wait_for("Escape to clear it", lambda: "code" not in browser.url())


def viewers(gateway):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port(), timeout=20)
    connection.request("GET", "/api/v1/status")
    told = json.load(connection.getresponse())
    connection.close()
    return told["viewers"]


def hidden(browser, gateway, page):
    """A page that nobody can see asks for nothing."""
    browser.go(page)
    wait_for("a viewer", lambda: is_live(browser) and viewers(gateway) == 1)
    window = browser.devtools("Browser.getWindowForTarget")["windowId"]
    show = lambda how: browser.devtools("Browser.setWindowBounds", windowId=window, bounds={"windowState": how})
    show("minimized")
    wait_for("the page to be hidden", lambda: browser.sync("return document.visibilityState") == "hidden")
    wait_for("its stream to end", lambda: viewers(gateway) == 0)
    show("normal")
    wait_for("a viewer again", lambda: is_live(browser) and viewers(gateway) == 1)
    print("ok: a hidden page asks for nothing")
