// The films' pixels in memory: fetched once, dropped when nobody needs them, so that 300 studies cost what a few do.
// What does not belong here: how they are drawn (pane.js) and what else is asked of the server (api.js).

import { pixels } from "./api.js";

export class Films {
  #kept = new Map();
  #wanted = new Set();
  #before = Promise.resolve();

  /** Promise of a film's pixels (api.js); `size`: "stored" or "native". */
  get(film, size) {
    const key = `${size} ${film.pixels}`;
    if (!this.#kept.has(key)) this.#kept.set(key, this.#fetched(key, film.pixels, size));
    return this.#kept.get(key).pixels;
  }

  /** Pixels that are here already, else undefined. */
  now = (film, size) => this.#kept.get(`${size} ${film.pixels}`)?.here;

  #fetched(key, address, size) {
    const stop = new AbortController(), entry = { stop };
    const start = () => pixels(address, size, stop.signal);
    entry.pixels = (size === "native" ? this.#inTurn(start) : start()).then((here) => (entry.here = here));
    entry.pixels.catch(() => this.#kept.get(key) === entry && this.#kept.delete(key)); // the next one who asks tries again
    return entry;
  }

  /** Native films come one after the other: the first stands sooner than if all shared the machine. */
  #inTurn(start) {
    const turn = this.#before.then(start);
    this.#before = turn.catch(() => {});
    return turn;
  }

  /** Fetches what comes next, one after the other: stored images of all studies (lists of films), native ones of the first. */
  async ahead(studies) {
    const stored = studies.flat().map((film) => [film, "stored"]);
    const native = (studies[0] ?? []).filter((film) => film.has_native).map((film) => [film, "native"]);
    for (const [film, size] of [...stored, ...native]) {
      if (!this.#wanted.has(`${size} ${film.pixels}`)) return;
      await this.get(film, size).catch(() => {});
    }
  }

  /** Drops all but the films of the study that is `open` and of those `next` (lists of films); stops what is on its way. */
  keep(open, next = []) {
    const of = (films, size) => films.map((film) => `${size} ${film.pixels}`);
    this.#wanted = new Set([...of([open, ...next].flat(), "stored"), ...of([open, next[0] ?? []].flat(), "native")]);
    for (const [key, entry] of this.#kept) {
      if (this.#wanted.has(key)) continue;
      entry.stop.abort();
      this.#kept.delete(key);
    }
  }
}
