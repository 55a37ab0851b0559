// What this page hears from the gateway, once a second, and whether it hears it. A page that cannot be seen
// listens to nothing.
import { Stream } from "./stream.js";

const ASK_AGAIN = 5000;

/** Calls `tell` with the news of the stream whenever the page can be seen, and `back` when it is again. */
export function listen(tell, back) {
  const source = together(tell);
  let listening = false;
  const look = () => {
    const wanted = document.visibilityState === "visible";
    if (wanted && !listening) back();
    listening = wanted;
    if (wanted) source.start();
    else source.stop();
  };
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pageshow", look);
  window.addEventListener("pagehide", () => {
    listening = false;
    source.stop();
  });
  setInterval(look, ASK_AGAIN);
  look();
}

function alone(tell) {
  return new Stream("api/v1/stream", tell);
}

// Some browsers have no shared workers, and some forbid them together with cookies.
function together(tell) {
  try {
    return shared(tell);
  } catch {
    return alone(tell);
  }
}

function shared(tell) {
  const worker = new SharedWorker(new URL("shared.js", import.meta.url), { type: "module", name: "tollgate" });
  worker.port.onmessage = ({ data }) => tell(data);
  // A browser that knows shared workers, but not of this kind.
  let instead = null;
  worker.onerror = () => {
    instead = alone(tell);
    if (document.visibilityState === "visible") instead.start();
  };
  return {
    start: () => (instead ? instead.start() : worker.port.postMessage("seen")),
    stop: () => (instead ? instead.stop() : worker.port.postMessage("hidden")),
  };
}
