// What the page shows only: a code, a route, a client. Held in the URL's fragment, so that it can be sent to
// a colleague and the browser's back button takes it off. Each part of the page says which filter it does not
// follow, and which it follows by a sample.
import { byId, h, redraw, text } from "./dom.js";

const NAMES = ["code", "route", "client"];
const LABELS = { code: "code", route: "route", client: "client" };
const listeners = [];
let current = read();

function read() {
  const values = new URLSearchParams(location.hash.slice(1));
  const filters = {};
  for (const name of NAMES) {
    if (values.has(name)) filters[name] = values.get(name);
  }
  return filters;
}

/** The filters in force, by name. A route may be `""`: what no route took. */
export const filters = () => current;

export function onFilter(listener) {
  listeners.push(listener);
}

/** Sets a filter, or takes it off if it is the one in force. */
export function toggle(name, value) {
  const next = { ...current };
  if (next[name] === value) delete next[name];
  else next[name] = value;
  go(next);
}

function go(next) {
  const hash = new URLSearchParams(next).toString();
  // Not by location.hash: an empty one would scroll to the top.
  history.pushState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  changed(next);
}

function changed(next) {
  current = next;
  show();
  for (const listener of listeners) listener(current);
}

function show() {
  const place = byId("filter");
  const names = Object.keys(current);
  const hadFocus = place.contains(document.activeElement);
  place.hidden = names.length === 0;
  redraw(place, current, () => [
    h("span", { class: "muted" }, "Only"),
    ...names.map((name) => chip(name, current[name])),
    names.length > 1 ? h("button", { type: "button", class: "quiet", click: () => go({}) }, "Clear all") : null,
  ]);
  if (hadFocus) (place.querySelector("button") ?? byId("now")).focus();
  document.querySelectorAll("section[data-filters]").forEach(showScope);
}

// `data-filters` are those that a part follows. Charts follow one of theirs, the first that is in force: nobody
// counts codes by route. `data-rest` is what of the part follows none; `data-sample`: its list follows a code as
// far as the recent requests that are kept have it.
function showScope(section) {
  const { filters: follows, rest, sample } = section.dataset;
  const known = follows.split(" ");
  const inForce = known.filter((name) => name in current);
  const followed = section.id === "traffic-part" ? inForce.slice(0, 1) : inForce;
  const missed = Object.keys(current).filter((name) => !followed.includes(name));
  const whole = missed.length > 0 && followed.length === 0;
  const parts = [
    sample !== undefined && followed.includes("code") ? `seen in recent requests with ${current.code}, of which a sample is kept; numbers are of all requests` : null,
    missed.length > 0 ? `not filtered by ${missed.map((name) => LABELS[name]).join(" or ")}` : null,
    rest && followed.length > 0 ? `${rest} is not filtered` : null,
  ];
  section.scope ??= section.querySelector(".head").appendChild(h("p", { class: "scope", role: "note" }));
  section.scope.hidden = !parts.some(Boolean);
  section.scope.classList.toggle("muted", !whole);
  text(section.scope, parts.filter(Boolean).join("; "));
}

function chip(name, value) {
  return h(
    "button",
    { type: "button", class: "chip", title: "Take this filter off", "aria-label": `Only ${LABELS[name]} ${value}: take this filter off`, click: () => toggle(name, value) },
    `${LABELS[name]} `,
    h("b", {}, value || "(none)"),
    h("span", { "aria-hidden": "true" }, " ✕"),
  );
}

window.addEventListener("hashchange", followUrl);
window.addEventListener("popstate", followUrl);
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select");
  if (event.key === "Escape" && !typing && Object.keys(current).length > 0) go({});
});
show();

function followUrl() {
  const next = read();
  // The links to parts of the page also change the fragment; they are no filters.
  if (location.hash && Object.keys(next).length === 0 && byId(location.hash.slice(1))) {
    history.replaceState(null, "", `#${new URLSearchParams(current)}`);
    return;
  }
  if (JSON.stringify(next) !== JSON.stringify(current)) changed(next);
}
