"""The dashboard before it has an answer, and its charts by themselves."""

import http.client
import threading

from page import Endpoint, is_live, text_of
from support import Quiet, check, wait_for


def behind(port, answers):
    """Passes requests on to the admin port; those to the API wait until the gateway `answers`."""

    class Waits(Quiet):
        protocol_version = "HTTP/1.0"

        def do_GET(self):
            if self.path.startswith("/api/"):
                answers.wait(60)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", self.path)
            answer = connection.getresponse()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.end_headers()
            try:
                while piece := answer.read1():
                    self.wfile.write(piece)
            except OSError:
                pass
            connection.close()

    return Waits


def loading(browser, gateway):
    answers = threading.Event()
    place = Endpoint(behind(gateway.admin_port(), answers))
    browser.go(f"http://127.0.0.1:{place.port}/")
    wait_for("the page to be put together", lambda: text_of(browser, ".refusals"))
    told = browser.sync("return document.querySelector('main').innerText")
    untrue = [line for line in told.splitlines() if line.startswith(("No ", "Nothing ", "All is well"))]
    check("nothing is claimed before there is an answer", untrue == [], untrue)
    waits = [text_of(browser, part) for part in (".refusals .empty", "#changes", "#state-text", "#upstreams-part .pages", ".chart .at")]
    check("each part says that it is loading", all(text.lower() == "loading" for text in waits), waits)
    answers.set()
    wait_for("the first answers", lambda: is_live(browser))
    check("then it is said", text_of(browser, ".refusals .empty").startswith("No request has been refused"), told)
    check("of all parts", text_of(browser, "#changes").startswith("Nothing has changed"), text_of(browser, "#changes"))
    place.kill()


# A chart of the page's own making: what of these points is drawn, and what is said under the pointer.
CHART = """
const done = arguments[arguments.length - 1];
const drawn = () => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
(async () => {
  const { Chart } = await import('/assets/chart.js');
  const chart = new Chart({ title: 'A test', log: true, format: String, tick: String,
    series: [{ label: 'p99', colour: 'red', column: 1, fold: 'highest' }] });
  document.querySelector('main').prepend(chart.element);
  const show = async (seconds, value) => {
    chart.show(Array.from({ length: seconds }, (_, n) => [1700000000 + n, value(n)]), [], null);
    await drawn();
  };
  const red = getComputedStyle(document.documentElement).getPropertyValue('--red').match(/[0-9a-f]{2}/g).map((two) => parseInt(two, 16));
  const dots = () => {
    const canvas = chart.element.querySelector('canvas');
    const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height }).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200 && red.every((part, n) => Math.abs(data[at + n] - part) < 9)) found += 1;
    return found;
  };
  await show(60, () => null);
  const none = dots();
  await show(60, (n) => (n === 30 ? 20 : null));
  const lone = dots();
  await show(900, (n) => (n === 450 ? 30 : 1));
  const over = chart.element.querySelector('.u-over');
  const { left, top, width } = over.getBoundingClientRect();
  over.dispatchEvent(new MouseEvent('mousemove', { clientX: left + (width * 450) / 899, clientY: top + 9, bubbles: true }));
  await drawn();
  const [at, value] = ['.at', 'dd'].map((name) => chart.element.querySelector(name).textContent);
  const label = chart.element.querySelector('.plot').getAttribute('aria-label');
  const wide = chart.element.querySelector('.plot').clientWidth;
  chart.element.remove();
  done({ none, lone, at, value, label, step: chart.step, fits: Math.ceil(899 / (wide - 63)) });
})().catch((error) => done({ failed: String(error) }));
"""


def charts(browser):
    told = browser.run(CHART)
    check("a chart can be made", "failed" not in told, told)
    check("a second alone is drawn", told["none"] == 0 and told["lone"] >= 9, told)
    check("as many seconds to a point as the width wants", told["step"] == told["fits"] > 1, told)
    check("a spike is as high as it was", told["value"] == "30" and "at most 30" in told["label"], told)
    check("what a point is is said", told["at"].endswith(f", highest of {told['step']} s"), told)
    note = text_of(browser, "#traffic-note")
    check("and beside the heading", note.startswith("up to 15 minutes, one point a second"), note)
