// Answers on their way: each goes out in order, under its key, until the server says that it has it. They outlive a reload.
// What does not belong here: what an answer holds (reading.js).

import { freshKey, post } from "./api.js";

const KEPT = "radia.outbox", FIRST_WAIT_MS = 500, LONGEST_WAIT_MS = 8000;

export class Outbox {
  #told = new Map();
  #isSending = false;

  /** `onchange({waiting, trouble})`; `onrefused(error, item)`: what nobody waits for any more was refused. */
  constructor({ onchange, onrefused }) {
    Object.assign(this, { onchange, onrefused, trouble: null, wait: FIRST_WAIT_MS });
    this.items = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
    window.addEventListener("online", () => this.hurry());
    window.addEventListener("beforeunload", (event) => this.items.length && event.preventDefault());
    this.#send();
  }

  get waiting() { return this.items.length; }

  /** Promise of the server's answer; a Refused for what the server will never take. */
  add(path, body) {
    const item = { path, body: { request_key: freshKey(), ...body } };
    this.#keep([...this.items, item]);
    const answer = new Promise((resolve, reject) => this.#told.set(item, { resolve, reject }));
    this.#send();
    return answer;
  }

  hurry() {
    this.wait = FIRST_WAIT_MS;
    clearTimeout(this.timer);
    this.#send();
  }

  async #send() {
    if (this.#isSending || !this.items.length) return;
    this.#isSending = true;
    const item = this.items[0];
    try {
      this.#done(item, null, await post(item.path, item.body));
    } catch (error) {
      if (error.isAway) this.#later(error);
      else this.#done(item, error);
    }
    this.#isSending = false;
    if (!this.trouble) this.#send();
  }

  #done(item, error, answer) {
    const told = this.#told.get(item);
    this.#told.delete(item);
    Object.assign(this, { trouble: null, wait: FIRST_WAIT_MS });
    this.#keep(this.items.slice(1));
    if (!error) told?.resolve(answer);
    else if (told) told.reject(error);
    else this.onrefused(error, item);
  }

  #later(error) {
    this.trouble = error;
    this.timer = setTimeout(() => { this.trouble = null; this.#send(); }, this.wait);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    this.#keep(this.items);
  }

  #keep(items) {
    this.items = items;
    sessionStorage.setItem(KEPT, JSON.stringify(items));
    this.onchange(this);
  }
}
