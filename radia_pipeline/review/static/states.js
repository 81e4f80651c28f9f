// What the page says when there is no film to show, and when something failed: in words, and what to do.
// What does not belong here: when that is.

import { h } from "./dom.js";
import { isKnown, t } from "./words.js";

/** A state: title and lines are functions, so that they follow the language; actions are [function, words]. */
export const state = (kind, title, lines = [], actions = []) => h("section", { class: `state ${kind}`, role: kind === "error" ? "alert" : null },
  h("h1", { say: title }), ...lines.map((line) => h("p", { say: line })),
  h("p", { class: "actions" }, ...actions.map(([run, words]) => h("button", { say: words, onclick: run }))));

/** Title and lines of an error, in words of ours and never the server's free text. */
export function said(error) {
  if (error.isAway && error.code !== "starting" && error.status < 500) return [() => t("away"), [() => t("away_more")]];
  const key = `e_${error.code}`, more = isKnown(key) ? [() => t(key)] : [];
  return [() => t("error"), [...more, ...(error.request ? [() => t("request", { id: error.request })] : [])]];
}

export function failed(error, actions = []) {
  if (!("code" in error)) console.error(error); // a fault of the page itself
  return state("error", ...said(error), actions);
}
