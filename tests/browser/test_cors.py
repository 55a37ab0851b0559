#!/usr/bin/env python3
"""A page at another port reads the gateway's refusals, and one that is not listed reads nothing."""

from support import KEY, Quiet, check, run

# What a page does, each step in words that its result is compared with.
PAGE_CALLS = """
const [url, options, done] = arguments;
fetch(url, options).then(async answer => done({
    status: answer.status,
    body: await answer.text(),
    retryAfter: answer.headers.get('retry-after'),
    rateLimit: answer.headers.get('ratelimit'),
    policy: answer.headers.get('ratelimit-policy'),
    requestId: answer.headers.get('x-request-id'),
})).catch(error => done({ failed: String(error) }));
"""


def call(browser, url, **options):
    return browser.run(PAGE_CALLS, url, options)


class Service(Quiet):
    """The service behind the gateway; it remembers what it was asked."""

    seen = []

    def any(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        Service.seen.append((self.command, self.path))
        self.answer("application/json", b'{"hello":"page"}')

    do_GET = do_PUT = do_POST = do_OPTIONS = any


CONFIG = """
listen = "127.0.0.1:0"
[log]
format = "json"
access = "access.log"
[routes]
"/api" = "http://127.0.0.1:{service}"
"/open" = "http://127.0.0.1:{service}"
[access]
protected = ["/api"]
[access.cors]
origins = ["http://127.0.0.1:{app}"]
[clients.page]
keys = ["sha256:{hash}"]
[limits]
identified = {{ requests = 2, per = "1h" }}
anonymous = {{ requests = 1, per = "1h" }}
"""


def calls(browser, gateway, app, other):
    api = f"http://127.0.0.1:{gateway.port}/api/orders/7"
    browser.go(f"http://127.0.0.1:{app}/")
    told = call(browser, api)
    check("the page reads a 401",
          told.get("status") == 401 and "api_key_required" in told["body"] and told["requestId"], told)
    keyed = {"headers": {"x-api-key": KEY, "content-type": "application/json"}}
    told = call(browser, api, method="PUT", body="{}", **keyed)
    check("the page calls with its key", told.get("body") == '{"hello":"page"}', told)
    check("it reads what is left of its limit",
          (told.get("rateLimit") or "").startswith('"identified";r=1'), told)
    told = call(browser, api, method="PUT", body="{}", **keyed)
    check("the preflight has spent nothing of it", told.get("status") == 200, told)
    told = call(browser, f"http://127.0.0.1:{gateway.port}/open")
    check("nor of the limit of its address",
          told.get("status") == 200 and told["rateLimit"].startswith('"anonymous";r=0'), told)
    told = call(browser, api, method="PUT", body="{}", **keyed)
    check("the page reads a 429 and its Retry-After",
          told.get("status") == 429 and int(told["retryAfter"]) > 0 and told["policy"], told)
    served = len(Service.seen)
    browser.go(f"http://127.0.0.1:{other}/")
    told = call(browser, api)
    check("a page that is not listed reads nothing", "failed" in told, told)
    told = call(browser, api, method="PUT", body="{}", **keyed)
    check("nor does it send what needs a preflight", "failed" in told and len(Service.seen) == served, told)


if __name__ == "__main__":
    lines = run(calls, Service, CONFIG)
    preflights = [line for line in lines if line["method"] == "OPTIONS"]
    answered = {line["status"] for line in preflights}
    check("every preflight was answered by the gateway", answered == {204}, preflights)
    check("the service got requests, and no preflight",
          Service.seen and all(method != "OPTIONS" for method, _ in Service.seen), Service.seen)
