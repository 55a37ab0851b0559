// The configuration in force: when it was loaded, what changed, first what became public, and a refused one with
// the place of its fault.
import { byId, h, redraw, sentence, setTime, text, timeElement } from "./dom.js";
import { get } from "./api.js";
import { count } from "./format.js";

const KINDS = [
  ["public", "Became public", "bad"],
  ["wider", "Allows more", "weak"],
  ["applied", "Changed", "good"],
  ["needs_restart", "Takes a restart", "off"],
];
const OUTCOMES = { started: "as at the start", reloaded: "by a reload", refused: "the last reload was refused" };

let generation = null;

export function startConfiguration() {
  byId("config-text").addEventListener("toggle", loadText);
}

export function showConfiguration({ loaded, generation: number, file, last, changes }) {
  const note = byId("config-note");
  if (!note.time) {
    note.time = timeElement(loaded);
    note.append(h("code", {}), " loaded ", note.time, h("span", {}));
  }
  text(note.firstElementChild, file ?? "no file");
  setTime(note.time, loaded);
  text(note.lastElementChild, `, ${OUTCOMES[last?.outcome] ?? "as at the start"}; number ${count(number)} since the start`);
  redraw(byId("refused"), last?.outcome === "refused" ? last : null, (refused) => refused && showRefused(refused));
  redraw(byId("changes"), changes ?? [], showChanges);
  if (number !== generation) {
    generation = number;
    loadText();
  }
}

function showRefused({ time, findings }) {
  const when = timeElement(time);
  return h(
    "div",
    { class: "refused", role: "group", "aria-label": "Refused configuration" },
    h("p", {}, h("b", {}, "▼ Refused "), when, ": the configuration before it stays in force."),
    ...findings.map(({ file, line, column, message, help, rendered }) =>
      h("pre", { tabindex: "0" }, rendered || [`${file}:${line}:${column}: ${message}`, help].filter(Boolean).join("\n")),
    ),
  );
}

function showChanges(changes) {
  if (changes.length === 0) return h("li", { class: "empty" }, "Nothing has changed since the start. What a reload changes stands here, first what it made public.");
  return KINDS.flatMap(([kind, name, tone]) =>
    changes.filter((change) => change.kind === kind).map((change) => h("li", {}, h("span", { class: "badge", "data-tone": tone }, name), changeText(change.text))),
  );
}

function changeText(told) {
  const element = h("span", {});
  sentence(element, told);
  return element;
}

async function loadText() {
  if (!byId("config-text").open) return;
  const place = byId("config-table");
  try {
    const { text: lines } = await get("config");
    redraw(place, lines, showText);
  } catch (problem) {
    redraw(place, problem.message, (message) => h("p", { class: "wrong" }, message));
  }
}

function showText(lines) {
  return h(
    "table",
    { class: "plain config-lines" },
    h("caption", { class: "unseen" }, "Keys in force"),
    h("thead", {}, h("tr", {}, ...["Key", "Value", "From"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, ...lines.map((line) =>
      h("tr", { class: line.default ? "default" : null }, h("th", { scope: "row" }, h("code", {}, [line.table, line.key].filter(Boolean).join("."))), h("td", {}, h("code", {}, line.value)), h("td", { class: "muted" }, line.default ? "default" : "file")),
    )),
  );
}
