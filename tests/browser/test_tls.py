#!/usr/bin/env python3
"""A page over https, in a browser that trusts the authority, and in one that does not."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from support import Browser, Gateway, Page, check, serve

CONFIG = """
listen = {{ address = "127.0.0.1:0", tls = true }}
[[tls.certificates]]
cert = "site.pem"
key = "site.key"
[log]
format = "json"
access = "access.log"
[routes]
"/app" = "http://127.0.0.1:{service}"
"""

LOAD = """const done = arguments[0];
Promise.all([...Array(20).keys()].map(n => fetch('/app/' + n).then(answer => answer.status)))
  .then(all => done([all, window.isSecureContext]), error => done(String(error)));"""


def certificates(folder):
    """An authority and what it has signed for localhost."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Test authority")
    openssl("req", *key, "-keyout", "site.key", "-out", "site.csr", "-subj", "/CN=localhost")
    pathlib.Path(folder, "names").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "site.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "names", "-days", "30", "-out", "site.pem")


def trust(folder):
    """A home in which Chromium finds that the authority is trusted."""
    database = pathlib.Path(folder, ".pki", "nssdb")
    database.mkdir(parents=True)
    name = ["-d", f"sql:{database}"]
    subprocess.run(["certutil", *name, "-N", "--empty-password"], check=True)
    subprocess.run(["certutil", *name, "-A", "-t", "C,,", "-n", "test", "-i", f"{folder}/ca.pem"], check=True)


def visit(home, url):
    """The title of the page, and what its script has loaded."""
    before = os.environ.get("HOME", "")
    os.environ["HOME"] = str(home)
    browser = Browser(home)
    try:
        browser.go(url)
        return browser.title(), browser.run(LOAD)
    finally:
        os.environ["HOME"] = before
        browser.end()


def main():
    if shutil.which("certutil") is None:
        print("SKIPPED: there is no certutil (Debian: libnss3-tools).", file=sys.stderr)
        return
    service = serve(Page)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as stranger:
        certificates(folder)
        trust(folder)
        gateway = Gateway(sys.argv[1], folder, CONFIG.format(service=service))
        url = f"https://localhost:{gateway.port}/app/"
        try:
            title, loaded = visit(folder, url)
            check("a page over https", title == "app", title)
            check("its requests", loaded == [[200] * 20, True], loaded)
            title, _ = visit(stranger, url)
            check("nobody else trusts the authority", title == "Privacy error", title)
        finally:
            lines = gateway.end()
    versions = {line["tls"]["version"] for line in lines}
    check("TLS 1.3", versions == {"1.3"}, versions)


if __name__ == "__main__":
    main()
