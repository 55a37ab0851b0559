// Follows the stream of frames, over as many connections as it takes. By fetch and not by EventSource, which
// does not tell a 401 or a 503 from a lost connection. Used by the worker that all tabs share, and by a page
// whose browser has no such workers.

const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 30000;
// A frame comes every second. A connection that says nothing for so long is dead, though nobody has closed it.
const SILENCE = 10000;

export class Stream {
  #url;
  #tell;
  #abort = null;
  #timer = null;
  #pause = FIRST_PAUSE;

  /** `tell` hears `{frame}`, `{state: "open"}`, `{state: "lost", reason, retry}` and `{state: "denied"}`. */
  constructor(url, tell) {
    this.#url = url;
    this.#tell = tell;
  }

  start() {
    if (!this.#abort && !this.#timer) this.#follow();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#abort?.abort();
    this.#abort = null;
    this.#pause = FIRST_PAUSE;
  }

  async #follow() {
    this.#timer = null;
    const abort = (this.#abort = new AbortController());
    let reason = "lost";
    try {
      const answer = await fetch(this.#url, { signal: abort.signal, headers: { Accept: "text/event-stream" } });
      if (answer.status === 401) {
        this.#abort = null;
        this.#tell({ state: "denied" });
        return;
      }
      if (answer.ok) await this.#read(answer.body, abort);
      else reason = answer.status === 503 ? (await answer.json()).code : `status ${answer.status}`;
    } catch {
      // Told below, whatever it was: to the reader all of it is a connection that is lost.
    }
    // Stopped, and perhaps started again, in the meantime.
    if (this.#abort !== abort) return;
    abort.abort();
    this.#abort = null;
    this.#retry(reason);
  }

  #retry(reason) {
    // Tabs that have lost the same gateway do not come back in the same moment.
    const retry = this.#pause * (0.75 + Math.random() / 2);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    this.#timer = setTimeout(() => this.#follow(), retry);
    this.#tell({ state: "lost", reason, retry });
  }

  async #read(body, abort) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const silence = setTimeout(() => abort.abort(), SILENCE);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done) return;
      const events = (rest + value.replaceAll("\r", "")).split("\n\n");
      rest = events.pop();
      for (const event of events) this.#hear(event);
    }
  }

  #hear(event) {
    const data = event
      .split("\n")
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5))
      .join("\n");
    if (!data) return;
    this.#pause = FIRST_PAUSE;
    this.#tell({ state: "open", frame: JSON.parse(data) });
  }
}
