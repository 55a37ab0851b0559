// A table of things that there may be thousands of: the gateway searches, sorts and cuts it into pages, and the
// page shows one of them and brings it up to date while it can be seen.
import { attribute, h, keyed, text } from "./dom.js";
import { get } from "./api.js";
import { count } from "./format.js";

const PAUSE_WHILE_TYPING = 250;
const WORTH_SEARCHING = 10;

export class List {
  #spec;
  #cursors = [null];
  #next = null;
  #query = "";
  #sort;
  #asked = null;
  #tbody = h("tbody", { role: "rowgroup" });
  #heads = new Map();
  #note = h("p", { class: "pages muted", role: "status" }, "loading");
  /** Whether there has been an answer. */
  #loaded = false;
  #field = null;
  #empty = h("p", { class: "empty", hidden: true });
  #back;
  #forth;
  #pager;
  #visible = false;

  /**
   * `spec`: place, path, name (of what is listed, plural), columns (`label`, `cell(td, item)`, `sort`,
   * `descending`, `class`), key,
   * sort (what it begins with), parameters(), search, tools (elements beside the search), empty(),
   * held() (whether the reader is not to be disturbed), row(tr, item), shown(items).
   */
  constructor(spec) {
    // On a phone a row is a card.
    const size = matchMedia("(max-width: 800px)").matches ? 8 : 25;
    this.#spec = { size, parameters: () => ({}), held: () => false, row: () => {}, shown: () => {}, tools: [], ...spec };
    this.#sort = spec.sort ?? null;
    this.#back = h("button", { type: "button", class: "quiet", click: () => this.#turn(-1) }, "← Back");
    this.#forth = h("button", { type: "button", class: "quiet", click: () => this.#turn(1) }, "Next →");
    this.#pager = h("div", { class: "pager", hidden: true }, this.#back, this.#forth);
    spec.place.parentElement.querySelector(".head").append(this.#note, ...this.#toolbar());
    spec.place.append(h("div", { class: "panel table" }, this.#table(), this.#empty), this.#pager);
    new IntersectionObserver(([entry]) => {
      const appeared = entry.isIntersecting && !this.#visible;
      this.#visible = entry.isIntersecting;
      if (appeared) this.load();
    }, { rootMargin: "200px" }).observe(spec.place);
  }

  /** Begins at the first page again: another filter. */
  restart() {
    this.#cursors = [null];
    return this.load();
  }

  /** Brings the page up to date, unless nobody sees it or the reader is in the middle of it. */
  refresh() {
    if (this.#visible && !this.#asked && !this.#spec.held()) this.load();
  }

  async load() {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    const { path, size, parameters } = this.#spec;
    const wanted = { limit: size, cursor: this.#cursors.at(-1), q: this.#query, sort: this.#sort, ...parameters() };
    try {
      const answer = await get(path, wanted, { signal: asked.signal });
      if (this.#asked === asked) this.#show(answer);
    } catch (problem) {
      // A page that is gone: what it began with may have been removed by a reload.
      if (problem.status === 400 && this.#cursors.length > 1) this.#cursors = [null];
      else if (this.#asked === asked && problem.name !== "AbortError") text(this.#note, `${this.#loaded ? "Not brought up to date" : "Not loaded"}: ${problem.message}`);
    } finally {
      if (this.#asked === asked) this.#asked = null;
    }
  }

  /** Brings rows that are shown up to date with items from elsewhere. */
  update(items) {
    const { key } = this.#spec;
    const fresh = new Map(items.map((item) => [key(item), item]));
    for (const tr of this.#tbody.children) {
      const item = fresh.get(tr.dataset.key);
      if (item) this.#fill(tr, item);
    }
  }

  #show({ items, total, next_cursor }) {
    const { key, name, size, empty, shown } = this.#spec;
    this.#loaded = true;
    this.#next = next_cursor;
    keyed(this.#tbody, items, key, (item) => this.#row(item), (tr, item) => this.#fill(tr, item));
    const first = (this.#cursors.length - 1) * size;
    this.#empty.hidden = items.length > 0;
    this.#tbody.parentElement.hidden = items.length === 0;
    if (items.length === 0) text(this.#empty, this.#query ? `No ${name} match “${this.#query}”.` : empty());
    const several = total > size || this.#cursors.length > 1;
    text(this.#note, items.length === 0 ? "" : several ? `${count(first + 1)}–${count(first + items.length)} of ${count(total)} ${name}` : `${count(total)} ${total === 1 ? name.slice(0, -1) : name}`);
    this.#pager.hidden = !several;
    // Few rows are found by looking.
    if (this.#field) this.#field.hidden = total < WORTH_SEARCHING && this.#query === "";
    this.#back.disabled = this.#cursors.length === 1;
    this.#forth.disabled = !this.#next;
    shown(items);
  }

  #row(item) {
    const { columns, key } = this.#spec;
    return h(
      "tr",
      { role: "row", "data-key": key(item) },
      ...columns.map((column, n) => h(n === 0 ? "th" : "td", { role: n === 0 ? "rowheader" : "cell", scope: n === 0 ? "row" : null, class: column.class, "data-label": column.label })),
    );
  }

  #fill(tr, item) {
    this.#spec.columns.forEach((column, n) => column.cell(tr.children[n], item));
    this.#spec.row(tr, item);
  }

  #turn(way) {
    if (way > 0 && this.#next) this.#cursors.push(this.#next);
    else if (way < 0 && this.#cursors.length > 1) this.#cursors.pop();
    this.load();
  }

  #toolbar() {
    const { search, tools } = this.#spec;
    if (!search && tools.length === 0) return [];
    let typing;
    const field = h("input", { type: "search", placeholder: search ?? "", "aria-label": search, autocomplete: "off", spellcheck: "false", hidden: true });
    field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => {
        this.#query = field.value.trim();
        this.restart();
      }, PAUSE_WHILE_TYPING);
    });
    if (search) this.#field = field;
    return [h("div", { class: "tools" }, this.#field, ...tools)];
  }

  #table() {
    const { columns, name } = this.#spec;
    const heads = columns.map((column) => {
      const head = h("th", { scope: "col", role: "columnheader", class: column.class, title: column.title });
      if (column.sort) {
        head.append(h("button", { type: "button", click: () => this.#order(column) }, column.label));
        this.#heads.set(column, head);
      } else {
        head.append(column.label);
      }
      return head;
    });
    this.#sayOrder();
    return h(
      "table",
      { role: "table" },
      h("caption", { class: "unseen" }, name),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...heads)),
      this.#tbody,
    );
  }

  // Numbers begin with the largest, names with the first of the alphabet; a second click turns that round.
  #order({ sort, descending, class: kind }) {
    const first = descending || kind?.includes("number") ? `-${sort}` : sort;
    this.#sort = this.#sort === first ? (first === sort ? `-${sort}` : sort) : first;
    this.#sayOrder();
    this.restart();
  }

  #sayOrder() {
    for (const [column, head] of this.#heads) {
      const order = this.#sort === column.sort ? "ascending" : this.#sort === `-${column.sort}` ? "descending" : null;
      attribute(head, "aria-sort", order);
    }
  }
}
