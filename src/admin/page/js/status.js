// The sentence at the top, what is wrong, and whether this page still hears anything. Sentence and reasons are
// the gateway's own, the same as `/readyz` gives.
import { attribute, byId, h, keyed, sentence, setTime, sinceElement, text } from "./dom.js";
import { clock } from "./format.js";

const STATES = { ok: "All is well", warning: "Look into it", critical: "Act now" };
const SEVERITIES = { warning: "warning", critical: "critical" };

let announced = null;

export function showStatus(status) {
  attribute(byId("now"), "data-state", status.state);
  const phase = status.phase === "serving" ? STATES[status.state] : status.phase === "draining" ? "Draining" : "Starting";
  text(byId("state-text"), status.ready ? phase : `${phase} · not ready`);
  sentence(byId("sentence"), status.sentence);
  text(byId("version"), status.version);
  document.title = `${status.state === "ok" ? "" : status.state === "critical" ? "▼ " : "▲ "}${location.host} · Tollgate`;
  keyed(byId("reasons"), status.reasons, ({ code, text }) => `${code} ${withoutNumbers(text)}`, makeReason, updateReason);
  announce(status);
}

function makeReason({ severity }) {
  return h(
    "li",
    { "data-severity": severity },
    h("span", { class: "mark", "aria-hidden": "true" }),
    h("b", {}, SEVERITIES[severity] ?? severity),
    h("span", {}),
    sinceElement(null),
  );
}

function updateReason(element, reason) {
  sentence(element.children[2], reason.text);
  element.children[3].hidden = !reason.since;
  if (reason.since) setTime(element.children[3], reason.since);
}

// The numbers of the sentence change every second. A screen reader is told when what is wrong changes.
function announce({ state, sentence: told, reasons }) {
  const what = `${state} ${reasons.map(({ code }) => code).join(" ")}`;
  if (what === announced) return;
  announced = what;
  text(byId("announce"), `${STATES[state]}: ${told}`);
}

const withoutNumbers = (told) => told.replace(/\d+/g, "#");

let heard = null;
let lost = null;

/** What the stream told: `{state, reason, retry}`. */
export function showLive(news) {
  if (news.state === "open") {
    heard = Date.now();
    lost = null;
  } else {
    lost = { ...news, again: Date.now() + (news.retry ?? 0) };
  }
  sayLive();
}

/** Called once a second, for the countdown. */
export function sayLive() {
  const place = byId("live");
  const trouble = byId("trouble");
  if (!lost) {
    const late = heard !== null && Date.now() - heard > 4000;
    attribute(place, "data-state", heard === null ? "connecting" : late ? "late" : "open");
    text(byId("live-text"), heard === null ? "connecting" : late ? `no answer since ${clock(new Date(heard))}` : "live");
    if (!late) trouble.hidden = true;
    return;
  }
  const wait = Math.max(0, Math.ceil((lost.again - Date.now()) / 1000));
  const again = wait > 0 ? `trying again in ${wait} s` : "trying again";
  attribute(place, "data-state", "lost");
  text(byId("live-text"), again);
  trouble.hidden = false;
  // No countdown here: a screen reader would read it out every second.
  text(trouble, isFull() ? FULL : since());
  if (heard !== null && !isFull()) showOld(clock(new Date(heard)));
}

// The sentence stays, and says no more that all is well now. The next frame takes this back.
function showOld(time) {
  attribute(byId("now"), "data-state", "old");
  text(byId("state-text"), `As it was at ${time}`);
  document.title = `? ${location.host} · Tollgate`;
}

const FULL = "As many viewers as the gateway serves at once look at it already (64). Until one of them leaves, numbers come every five seconds.";

/** Whether the gateway is well but has no stream left for this page. */
export const isFull = () => lost?.reason === "too_many_viewers";

function since() {
  if (heard === null) return "The gateway does not answer; trying again.";
  return `No answer from the gateway since ${clock(new Date(heard))}; trying again. What you see is old.`;
}
