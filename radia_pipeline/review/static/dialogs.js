// Questions in a dialog: choices, a comment, and the list of keys. Escape leaves, Enter sends.
// What does not belong here: what becomes of the answers.

import { h, put } from "./dom.js";
import { printed } from "./keys.js";
import { t } from "./words.js";

/** One question: radio buttons `name`, under the words `legend`, one for each of `values`; `words(value)` is its key. */
export const choice = (name, legend, values, words, chosen) => h("fieldset", {}, h("legend", { say: () => t(legend) }),
  ...values.map((value) => h("label", {}, h("input", { type: "radio", name, value, checked: value === chosen }), h("span", { say: () => t(words(value)) }))));

const comment = (most, text) => h("label", { class: "comment" }, h("span", { say: () => t("comment") }),
  h("textarea", { name: "comment", maxlength: most, rows: 2 }, text), h("small", { say: () => t("comment_hint") }));

/** Promise of [value with which a dialog of `parts` is closed, "" where it was left; its form]; `onkey(event, dialog)`. */
function shown(kind, title, parts, onkey = () => {}) {
  const dialog = document.getElementById("dialog");
  const form = h("form", { method: "dialog", class: kind, onkeydown: (event) => onkey(event, dialog) }, h("h1", { say: title }), ...parts);
  dialog.returnValue = "";
  put(dialog, form);
  dialog.showModal();
  (form.querySelector("input:checked") ?? form.querySelector("input, textarea"))?.focus();
  return new Promise((resolve) => { dialog.onclose = () => resolve([dialog.returnValue, form]); });
}

const leave = () => h("button", { value: "", say: () => t("cancel") });

/** Promise of what was said, by name, null where it was left. */
export async function ask(app, title, parts, { hasComment = false, text = "" } = {}) {
  const area = hasComment ? [comment(app.config.most_comment_characters, text)] : [];
  const send = h("p", { class: "actions" }, h("button", { class: "main", value: "send", say: () => t("send") }), leave());
  const [said, form] = await shown("ask", title, [...parts, ...area, send], (event, dialog) => {
    if (event.key !== "Enter" || event.shiftKey || event.target.tagName === "BUTTON") return;
    event.preventDefault();
    if (!event.repeat) dialog.close("send");
  });
  return said ? Object.fromEntries(new FormData(form)) : null;
}

/** Promise of the value that was chosen by one press, null where none was. */
export async function pick(title, values, words) {
  const one = (value, i) => h("button", { value, say: () => `${i + 1}  ${t(words(value))}` });
  const [said] = await shown("pick", title, [...values.map(one), leave()], (event, dialog) => {
    const chosen = values[Number(event.code.replace(/Digit|Numpad/, "")) - 1];
    if (chosen && !event.repeat) dialog.close(chosen);
  });
  return said || null;
}

const cap = (key) => h("kbd", { say: () => (key.startsWith("k_") ? t(key) : printed(key)) });

/** Keys and what they do, [[key or place, words]]: in the foot of the page. */
export const hints = (list) => list.map(([key, words]) => h("span", { class: "hint" }, cap(key), " ", h("span", { say: () => t(words) })));

export function help(list) {
  const more = [["k_arrows", "c_pan"], ["k_shift", "c_window"], ["+", "c_zoom"], ["-", "c_zoom"]];
  shown("help", () => t("help"), [h("div", {}, ...hints([...list, ...more])), h("p", { say: () => t("touch") }), h("button", { class: "main", say: () => t("close") })]);
}
