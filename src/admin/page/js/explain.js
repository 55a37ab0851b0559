// The explain box: what would become of a request, by the code that decides it. Nothing is sent or counted. The
// key has no `name` and goes in a field of the request, so that it stands in no URL, whatever happens to the form.
import { byId, h } from "./dom.js";
import { get } from "./api.js";

const FIELDS = ["method", "url", "client", "from"];
const KEY_FIELD = "Tollgate-Explain-Key";

export function startExplain() {
  byId("explain").addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  window.addEventListener("pagehide", forgetKey);
}

function forgetKey() {
  byId("explain-key").value = "";
}

/** Fills the form with a request that has been made, asks, and goes there. */
export function fillExplain({ method, host, path, client, ip }) {
  const form = byId("explain");
  const values = { method: method ?? "GET", url: host ? `http://${host}${path ?? ""}` : path ?? "", client: client ?? "", from: ip ?? "" };
  for (const name of FIELDS) form.elements[name].value = values[name];
  forgetKey();
  byId("explain-part").scrollIntoView();
  ask().then(() => byId("explanation").focus({ preventScroll: true }));
}

async function ask() {
  const form = byId("explain");
  const place = byId("explanation");
  const question = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value.trim()]));
  const key = byId("explain-key").value.trim();
  try {
    const { lines, status, code, outcome } = await get("explain", question, { headers: key ? { [KEY_FIELD]: key } : {} });
    place.replaceChildren(verdict(status, code, outcome), h("pre", { tabindex: "0" }, lines.join("\n")));
  } catch (problem) {
    place.replaceChildren(h("p", { class: "wrong" }, `Cannot be explained: ${problem.message}`));
  }
}

function verdict(status, code, outcome) {
  return h(
    "p",
    { class: "verdict" },
    status ? h("span", { class: "status", "data-class": Math.floor(status / 100) }, String(status)) : null,
    code ? h("code", {}, code) : null,
    h("span", {}, outcome ?? ""),
  );
}
