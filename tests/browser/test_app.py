#!/usr/bin/env python3
"""A person logs in to an application that knows nothing of the prefix it is served under, and out again."""

import html
import http.cookies
import json
import secrets
import urllib.parse

from support import Quiet, check, run, wait_for

PASSWORD = "correct horse"

CONFIG = """
listen = "127.0.0.1:0"
[log]
format = "json"
access = "access.log"
[routes]
"/crm" = "http://127.0.0.1:{service}"
"/shop" = "http://127.0.0.1:{service}/shop"
"""

PAGE = "<!doctype html><title>{title}</title><h1>{title}</h1>{body}"

FORM = """<form method=post><input name=user><input name=password type=password><button>Log in</button></form>"""

HOME = """<p id=user>{user}</p><a id=contacts href=contacts/>Contacts</a>
<form method=post action=logout><button>Log out</button></form>"""


class App(Quiet):
    """As most web applications are: sessions in a cookie of Path=/, paths that begin with / in
    redirects, and now and then a whole URL with the host that it sees."""

    sessions = {}
    seen = []

    def do_GET(self):
        path = self.begin()
        if path.startswith("/shop"):
            return self.page("shop", "")
        if path == "/login":
            return self.page("login", FORM)
        user = self.user()
        if user is None:
            return self.redirect("/login?" + urllib.parse.urlencode({"next": self.path}))
        if path == "/":
            return self.page("home", HOME.format(user=html.escape(user)))
        if path == "/contacts":
            # The slash that is missing, as a whole URL.
            return self.redirect(f"http://{self.headers['Host']}/contacts/")
        if path == "/contacts/":
            return self.page("contacts", "<a id=home href=../>Home</a>")
        self.send_error(404)

    def do_POST(self):
        path = self.begin()
        if path == "/logout":
            self.sessions.pop(self.session(), None)
            return self.redirect("/login", "sid=; Path=/; Max-Age=0; HttpOnly")
        length = int(self.headers.get("Content-Length") or 0)
        sent = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        if path != "/login" or sent.get("password") != PASSWORD:
            return self.page("wrong password", FORM)
        session = secrets.token_hex(16)
        self.sessions[session] = sent["user"]
        query = urllib.parse.urlsplit(self.path).query
        wanted = dict(urllib.parse.parse_qsl(query)).get("next", "/")
        self.redirect(wanted, f"sid={session}; Path=/; HttpOnly; SameSite=Lax")

    def begin(self):
        App.seen.append((self.command, self.path, self.session()))
        return urllib.parse.urlsplit(self.path).path

    def session(self):
        cookies = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        return cookies["sid"].value if "sid" in cookies else None

    def user(self):
        return self.sessions.get(self.session())

    def page(self, title, body):
        self.answer("text/html", PAGE.format(title=title, body=body).encode())

    def redirect(self, to, cookie=None):
        self.send_response(303)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()


def calls(browser, gateway, *_):
    origin = f"http://127.0.0.1:{gateway.port}"

    def shows(title, path):
        """Waits for the page, and says whether it is where it should be."""
        wait_for(f"the page {title}", lambda: browser.title() == title)
        url = browser.url()
        check(f"the page {title} is at {path}", url == origin + path, url)

    browser.go(f"{origin}/crm/")
    shows("login", "/crm/login?next=%2F")
    browser.type("[name=user]", "ada")
    browser.type("[name=password]", "wrong")
    browser.click("button")
    shows("wrong password", "/crm/login?next=%2F")
    browser.type("[name=user]", "ada")
    browser.type("[name=password]", PASSWORD)
    browser.click("button")
    shows("home", "/crm/")
    check("it knows who has logged in", browser.text("#user") == "ada", browser.text("#user"))
    browser.go(f"{origin}/crm/contacts")
    shows("contacts", "/crm/contacts/")
    browser.click("#home")
    shows("home", "/crm/")
    cookies = browser.cookies()
    paths = [(cookie["name"], cookie["path"]) for cookie in cookies]
    check("the cookie is the application's alone", paths == [("sid", "/crm")], json.dumps(cookies))
    browser.go(f"{origin}/shop/")
    shows("shop", "/shop/")
    check("and its neighbour does not get it", App.seen[-1][1:] == ("/shop/", None), App.seen[-1])
    browser.go(f"{origin}/crm")
    shows("home", "/crm")
    browser.go(f"{origin}/crm/")
    browser.click("button")
    shows("login", "/crm/login")
    check("the cookie is gone after the logout", browser.cookies() == [], browser.cookies())


if __name__ == "__main__":
    lines = run(calls, App, CONFIG)
    paths = [path for _, path, _ in App.seen]
    check("the application never saw its prefix", not any("crm" in path for path in paths), paths)
    wrong = [line for line in lines if line["status"] >= 400 and line["path"] != "/favicon.ico"]
    check("no link and no redirect led nowhere", wrong == [], wrong)
