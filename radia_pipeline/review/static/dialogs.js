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

/** Promise of what was said, by name, null where it was left. */
export function ask(app, title, parts, { hasComment = false, text = "" } = {}) {
  const dialog = document.getElementById("dialog"), area = hasComment ? comment(app.config.most_comment_characters, text) : null;
  return new Promise((resolve) => {
    const form = h("form", { method: "dialog" }, h("h1", { say: title }), ...parts, ...(area ? [area] : []), h("p", { class: "actions" },
      h("button", { class: "main", value: "send", say: () => t("send") }), h("button", { value: "", say: () => t("cancel") })));
    form.addEventListener("keydown", (event) => event.key === "Enter" && event.target.tagName !== "BUTTON" && !event.shiftKey && (event.preventDefault(), event.repeat || dialog.close("send")));
    dialog.returnValue = "";
    dialog.onclose = () => resolve(dialog.returnValue === "send" ? Object.fromEntries(new FormData(form)) : null);
    put(dialog, form);
    dialog.showModal();
    (form.querySelector("input:checked") ?? form.querySelector("input, textarea"))?.focus();
  });
}

/** Promise of the value that was chosen by one press, null where none was. */
export function pick(title, values, words) {
  const dialog = document.getElementById("dialog");
  return new Promise((resolve) => {
    const one = (value, i) => h("button", { value, say: () => `${i + 1}  ${t(words(value))}` });
    const form = h("form", { method: "dialog", class: "pick" }, h("h1", { say: title }), ...values.map(one), h("button", { value: "", say: () => t("cancel") }));
    form.addEventListener("keydown", (event) => !event.repeat && values[Number(event.code.replace(/Digit|Numpad/, "")) - 1] && dialog.close(values[Number(event.code.replace(/Digit|Numpad/, "")) - 1]));
    dialog.returnValue = "";
    dialog.onclose = () => resolve(dialog.returnValue || null);
    put(dialog, form);
    dialog.showModal();
  });
}

const cap = (key) => h("kbd", { say: () => (key.startsWith("k_") ? t(key) : printed(key)) });

/** Keys and what they do, [[key or place, words]]: in the foot of the page. */
export const hints = (list) => list.map(([key, words]) => h("span", { class: "hint" }, cap(key), " ", h("span", { say: () => t(words) })));

export function help(list) {
  const dialog = document.getElementById("dialog");
  const more = [["k_arrows", "c_pan"], ["k_shift", "c_window"], ["+", "c_zoom"], ["-", "c_zoom"]];
  dialog.onclose = null;
  put(dialog, h("form", { method: "dialog", class: "help" }, h("h1", { say: () => t("help") }), h("div", {}, ...hints([...list, ...more])),
    h("p", { say: () => t("touch") }), h("button", { class: "main", say: () => t("close") })));
  dialog.showModal();
}
