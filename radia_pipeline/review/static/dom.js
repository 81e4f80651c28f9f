// Elements, made in one way: text only by textContent, styles only by CSSOM (the page's CSP allows no markup of strangers).
// What does not belong here: words (words.js) and anything that knows what RadIA is.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name === "say" || name === "label") said(element, name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** An element. `say` and `label` are functions that return its text and its accessible name in the language of now. */
export const h = (tag, props = {}, ...children) => fill(document.createElement(tag), props, children);

/** The same of SVG. */
export const s = (tag, props = {}, ...children) => fill(document.createElementNS(SVG, tag), props, children);

function said(element, kind, speak) {
  element[kind === "say" ? "radiaSay" : "radiaLabel"] = speak;
  element.setAttribute("data-said", "");
  speakNow(element);
}

function speakNow(element) {
  if (element.radiaSay) element.textContent = element.radiaSay();
  if (!element.radiaLabel) return;
  element.setAttribute("aria-label", element.radiaLabel());
  if (element.tagName === "BUTTON") element.title = element.radiaLabel();
}

/** Says everything again, in the language of now. */
export const relabel = (root = document) => root.querySelectorAll("[data-said]").forEach(speakNow);

/** Puts `children` in the place of what an element holds. */
export const put = (element, ...children) => (element.replaceChildren(...children.flat().filter(Boolean)), element);

/** Whether a key pressed now is text that somebody types. */
export const isTyping = (target) => target?.matches?.("textarea, select, input:not([type=radio], [type=checkbox])") ?? false;
