// Puts the page together. A frame a second brings numbers for the top; lists are asked for every few seconds,
// each only while it can be seen. One part that fails does not take the others with it.
import { byId, text, tick } from "./dom.js";
import { get, logIn } from "./api.js";
import { listen } from "./live.js";
import { onFilter } from "./filters.js";
import { isFull, sayLive, showLive, showStatus } from "./status.js";
import { isFiltered, loadHistory, showFrame, startTraffic } from "./traffic.js";
import { startUpstreams } from "./upstreams.js";
import { startRoutes } from "./routes.js";
import { startClients } from "./clients.js";
import { showStore, startLimits } from "./limits.js";
import { startRequests } from "./requests.js";
import { showConfiguration, startConfiguration } from "./configuration.js";
import { startExplain } from "./explain.js";
import { showProcess, startProcess } from "./process.js";

text(byId("host"), location.host);
startTraffic();
startConfiguration();
startExplain();
startProcess();
const upstreams = startUpstreams();
const routes = startRoutes();
const clients = startClients();
const limits = startLimits();
const requests = startRequests();

/** Seconds between two looks at each list. */
const EVERY = new Map([[upstreams, 5], [routes, 3], [clients, 5], [limits, 5], [requests, 2]]);

function everything(status) {
  showStatus(status);
  showStore(status.limit_store);
  showConfiguration(status.config);
  showProcess(status);
}

listen(
  (news) => {
    if (news.state === "denied") return logIn();
    showLive(news);
    if (!news.frame) return;
    everything(news.frame.status);
    showFrame(news.frame);
    upstreams.update(news.frame.upstreams ?? []);
  },
  () => {
    // At the start, and when a tab comes back: what has happened meanwhile.
    lookOnce();
    for (const list of EVERY.keys()) list.refresh();
  },
);

onFilter(() => {
  for (const list of EVERY.keys()) list.restart();
});

let second = 0;
setInterval(() => {
  if (document.visibilityState !== "visible") return;
  second += 1;
  sayLive();
  tick();
  for (const [list, seconds] of EVERY) {
    if (second % seconds === 0) list.refresh();
  }
  if (isFiltered() && second % 2 === 0) quietly(loadHistory());
  if (isFull() && second % 5 === 0) lookOnce();
}, 1000);

function lookOnce() {
  quietly(loadHistory());
  quietly(get("status").then(everything));
}

// What fails here is told by the stream, which fails for the same reason.
function quietly(promise) {
  promise.catch(() => {});
}

// The parts' links keep the filters, which stand in the same place of the URL.
document.querySelector("nav").addEventListener("click", (event) => {
  const part = event.target.closest("a") && byId(event.target.hash.slice(1));
  if (!part) return;
  event.preventDefault();
  part.scrollIntoView();
  part.querySelector("a, button, input, select, summary")?.focus({ preventScroll: true });
});
