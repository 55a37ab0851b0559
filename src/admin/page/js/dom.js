// Makes and changes elements. Everything that comes from requests or from the configuration reaches the page
// through here, as text and never as markup. What has not changed is not touched, so that selections, focus
// and layout stay as they are when numbers move.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("p", { class: "muted" }, "text", child)`. Functions become listeners. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Sets an element's text, and what the pointer shows, if they differ. */
export function text(element, value, title) {
  if (element.textContent !== value) element.textContent = value;
  if (title !== undefined) attribute(element, "title", title);
}

/** The same for a sentence in which names stand between backticks. */
export function sentence(element, value) {
  redraw(element, value, () => value.split("`").map((part, n) => (n % 2 === 1 ? h("code", {}, part) : part)));
}

/** Sets or removes an attribute if that changes anything. */
export function attribute(element, name, value) {
  if (value === null || value === undefined || value === "") {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, value);
  }
}

const shown = new WeakMap();

/** Makes the children of an element anew, but only if what they show differs from the last time. */
export function redraw(element, value, make) {
  const signature = JSON.stringify(value);
  if (shown.get(element) === signature) return;
  shown.set(element, signature);
  element.replaceChildren(...[make(value)].flat().filter((child) => child !== null && child !== undefined));
}

/**
 * Makes the children of `parent` follow `items`: one element for each key, which is kept as long as there is
 * an item with that key. `make(item)` returns a new element, `update(element, item)` brings it up to date.
 */
export function keyed(parent, items, key, make, update) {
  const known = (parent.known ??= new Map());
  const wanted = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    if (wanted.has(name)) continue;
    wanted.add(name);
    let element = known.get(name);
    if (!element) {
      element = make(item);
      known.set(name, element);
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const [name, element] of known) {
    if (wanted.has(name)) continue;
    element.remove();
    known.delete(name);
  }
}

/** A time as how long ago it was, with the exact one in its title; kept up to date by `tick`. */
export function timeElement(iso) {
  const element = h("time", { class: "ago" });
  setTime(element, iso);
  return element;
}

/** The same of what has lasted since then: "for 5 min". */
export function sinceElement(iso) {
  const element = timeElement(iso);
  element.classList.add("since");
  return element;
}

export function setTime(element, iso) {
  attribute(element, "datetime", iso);
  attribute(element, "title", iso ? exact(iso) : "");
  text(element, iso ? relative(element, iso) : "never");
}

/** Brings all relative times up to date. */
export function tick() {
  for (const element of document.querySelectorAll("time.ago[datetime]")) {
    text(element, relative(element, element.getAttribute("datetime")));
  }
}

const exact = (iso) => `${new Date(iso).toLocaleString("en-GB", { timeZoneName: "short" })} (${iso})`;

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function relative(element, iso) {
  const seconds = (Date.now() - Date.parse(iso)) / 1000;
  const distance = Math.abs(seconds);
  // The clocks of browser and gateway differ by a little.
  if (distance < 1.5) return "now";
  const [size, unit] = UNITS.find(([size]) => distance >= size) ?? UNITS.at(-1);
  const number = Math.floor(distance / size);
  if (element.classList.contains("since")) return `for ${number} ${unit}`;
  return seconds > 0 ? `${number} ${unit} ago` : `in ${number} ${unit}`;
}
