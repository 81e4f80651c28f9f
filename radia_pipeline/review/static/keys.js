// Keys: one place that listens. Letters are places on the keyboard (event.code), labelled as this layout prints them.
// What does not belong here: what a key does.

import { isTyping, relabel } from "./dom.js";

let layout = new Map(), bound = [];
const OWN = "button, a, summary, [role=radio]"; // these take Space and Enter themselves

/** Binds [{code or key, run, isOff}] in the place of what was bound before; `key` is the character, `code` the place. */
export const bind = (bindings) => (bound = bindings);

/** What this keyboard prints on a place. */
export const printed = (code) => (layout.get(code) ?? code.replace(/^(Key|Digit)/, "")).toUpperCase();

const learn = (code, key) => layout.get(code) !== key && (layout = new Map([...layout, [code, key]])) && relabel();

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (/^(Key|Digit)/.test(event.code) && !event.shiftKey && event.key.length === 1) learn(event.code, event.key);
  if (isTyping(event.target)) return event.key === "Escape" && event.target.blur();
  if (document.querySelector("dialog[open]")) return;
  if ((event.key === " " || event.key === "Enter") && event.target.closest?.(OWN)) return;
  const one = bound.find(({ code, key }) => (code ? code === event.code : key === event.key));
  if (!one) return;
  event.preventDefault();
  if (!event.repeat) one.run(event); // a key that is held down decides once
}

export function listen() {
  document.addEventListener("keydown", pressed);
  // A mouse does not take the focus to a button, so that Space goes on meaning "accept" after a click.
  document.addEventListener("mousedown", (event) => event.target.closest?.("button") && event.preventDefault());
  navigator.keyboard?.getLayoutMap?.().then((map) => { layout = new Map(map); relabel(); }, () => {});
}
