"""The dashboard as a page: what stands on it, and a service behind the gateway that it shows."""

import http.client
import http.server
import threading

from support import KEY


class Endpoint:
    """A service that can be killed."""

    def __init__(self, handler):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kill(self):
        self.server.shutdown()
        self.server.server_close()


def ask(port, path, with_key=False):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"x-api-key": KEY} if with_key else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def text_of(browser, selector):
    return browser.sync("return document.querySelector(arguments[0])?.textContent ?? ''", selector)


def is_live(browser):
    return text_of(browser, "#live-text") == "live"


def see(browser, selector):
    """Lists are brought up to date only while they can be seen."""
    browser.sync("document.querySelector(arguments[0]).scrollIntoView({behavior: 'instant'})", selector)
