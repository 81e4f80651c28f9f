// What the page asks of the server, and the one kind of error that comes of it.
// What does not belong here: what is done about an error (states.js) and answers that wait (outbox.js).

import { WHOLE, isFallingTable, withoutFringe } from "./pixels.js";

/** `code`: the server's word; `isAway`: nobody answered, or nobody can now; `request`: the id to tell whoever keeps it. */
export class Refused extends Error {
  constructor(status, problem = {}) {
    super(problem.code ?? `status ${status}`);
    Object.assign(this, { status, problem, code: problem.code ?? "", request: problem.request_id ?? "" });
    this.isAway = status === 0 || status === 429 || status >= 500;
  }
}

/** A name that nobody else makes; also where a proxy shows the page without TLS, and randomUUID is not there. */
export const freshKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");

async function ask(path, options = {}) {
  const headers = { Accept: "application/json", "X-RadIA": "1", ...options.headers };
  const answer = await fetch(path, { cache: "no-store", ...options, headers }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Refused(0);
  });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, { request_id: answer.headers.get("X-Request-ID") ?? "", ...problem });
}

export const get = async (path) => (await ask(path)).json();

export const post = async (path, body = {}) =>
  (await ask(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } })).json();

export const upload = async (path, file, type) =>
  (await ask(path, { method: "POST", body: file, headers: { "Content-Type": type } })).json();

/**
 * The pixels of a film: {values, width, height, table, window: {center, width}, units: [slope, intercept]}. `table` leads
 * from values to what is shown, 0…65535; null where they are that already.
 */
export async function pixels(address, size, signal) {
  const answer = await ask(`${address}?size=${size}`, { signal, headers: { Accept: "application/octet-stream" } });
  const buffer = await answer.arrayBuffer().catch((error) => { throw error.name === "AbortError" ? error : new Refused(0); });
  const numbers = (name, otherwise) => answer.headers.get(`X-Radia-${name}`)?.split(",").map(Number) ?? otherwise;
  const [height, width] = numbers("Shape", [0, 0]), [entries] = numbers("Table", [0]);
  if (!(width * height > 0 && (entries + width * height) * 2 === buffer.byteLength)) throw new Refused(0, { code: "cut_off" });
  const table = entries ? new Uint16Array(buffer, 0, entries) : null, values = new Uint16Array(buffer, 2 * entries);
  const [center, span] = numbers("Window", [WHOLE.center, WHOLE.width]);
  const image = { values, width, height, table, window: { center, width: span }, units: numbers("Units", null), slopes: numbers("Slopes", [0, 0]), isFalling: table !== null && isFallingTable(table) };
  return withoutFringe(image, numbers("Padding", null));
}
