// The worker that all tabs of a browser share. It holds one stream for them, as long as one of them can be
// seen: browsers open six connections to a host and no more, which six tabs with a stream each would use up.
import { Stream } from "./stream.js";

// A tab that was killed says nothing. Tabs that can be seen ask once in five seconds.
const FORGOTTEN = 20000;

/** When each tab that can be seen was last heard. */
const seen = new Map();
let last = null;

const stream = new Stream("../api/v1/stream", (news) => {
  last = news;
  for (const port of seen.keys()) port.postMessage(news);
});

function look() {
  const now = Date.now();
  for (const [port, heard] of seen) {
    if (now - heard > FORGOTTEN) seen.delete(port);
  }
  if (seen.size > 0) return;
  stream.stop();
  last = null;
}

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => {
    if (data === "hidden") {
      seen.delete(port);
      look();
      return;
    }
    // Without a cookie nothing is tried again but by a tab that asks anew.
    if (!seen.has(port) && last) {
      if (last.state === "denied") last = null;
      else port.postMessage(last);
    }
    seen.set(port, Date.now());
    if (last?.state !== "denied") stream.start();
  };
};

setInterval(look, 5000);
