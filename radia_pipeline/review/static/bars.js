// The answer of the models: one row a class, those above it first; threshold in the middle, interval, reference, change.
// What does not belong here: where a map is drawn (viewer.js).

import { h } from "./dom.js";
import { percent, t } from "./words.js";

export const SHAPES = { present: "●", uncertain: "◐", absent: "○" };

/** Where a probability lies on a bar, 0…1, with the threshold in the middle. */
export const place = (p, cut) => (p <= cut ? (cut ? (0.5 * p) / cut : 0) : 0.5 + (0.5 * (p - cut)) / (1 - cut));

/** Classes with those above them first, each once, likeliest branches first: [[class, depth]]. */
export function branches(classes, chance) {
  const known = new Set(classes.map((one) => one.class)), done = new Set(), rows = [];
  const below = (name) => classes
    .filter((one) => (name ? one.parents.includes(name) : !one.parents.some((parent) => known.has(parent))))
    .sort((a, b) => chance(b.class) - chance(a.class));
  const walk = (one, depth) => {
    if (done.has(one.class)) return;
    done.add(one.class);
    rows.push([one, depth]);
    for (const child of below(one.class)) walk(child, depth + 1);
  };
  for (const root of below(null)) walk(root, 0);
  return rows;
}

const shape = (value, kind) => h("span", { class: `${kind} ${value}` }, SHAPES[value] ?? "");

function bar(one) {
  const cut = one.threshold ?? 0.5, at = (p) => `${100 * place(p, cut)}%`;
  if (one.probability === null) return h("span", { class: "bar none" });
  const between = one.so_far && { left: at(one.so_far.low), width: `${100 * (place(one.so_far.high, cut) - place(one.so_far.low, cut))}%` };
  return h("span", { class: "bar" },
    h("span", { class: "fill", style: { width: at(one.probability) } }),
    one.threshold === null ? null : h("span", { class: "cut" }),
    between && h("span", { class: "range", style: between }));
}

function delta(one, before) {
  const points = one.probability === null || !before || before.probability === null ? 0 : Math.round(100 * (one.probability - before.probability));
  return points ? `${points > 0 ? "▲" : "▼"}\u2009${Math.abs(points)}` : "";
}

function spoken(name, one, reference, change) {
  return () => [
    name(), one.probability === null ? t("unknown_class") : percent(one.probability),
    one.called === null ? "" : t(one.called ? "above" : "below"),
    reference ? `${t("ref_long")}: ${t(reference)}` : "", change ? `${t("change")} ${change}` : "",
  ].filter(Boolean).join(", ");
}

/** One row: {name (function), depth, one (an answer's class), reference, before, act}; `act(isOn)` when it is pointed at. */
export function row({ name, depth = 0, one, reference, before, act, key }) {
  const change = delta(one, before), on = () => act(true), off = () => act(false);
  const parts = [
    h("span", { class: "name", say: name }), shape(reference, "ref"), bar(one),
    h("span", { class: "chance" }, one.probability === null ? "–" : percent(one.probability)), h("span", { class: "delta" }, change),
  ];
  const props = { class: "finding", "data-depth": depth, "data-class": key, "data-called": one.called ? true : null, tabindex: "-1" };
  const acts = { onfocus: on, onblur: off, onpointerenter: on, onpointerleave: off, onclick: (event) => event.currentTarget.focus() };
  return h("button", { ...props, ...acts, label: spoken(name, one, reference, change) }, ...parts);
}

export const head = () => h("div", { class: "finding head", "aria-hidden": "true" },
  ...[["name", "finding"], ["ref", "ref"], [], ["chance", "chance"], ["delta", "change"]].map(([kind, key]) => h("span", key ? { class: kind, say: () => t(key) } : {})));

/** What stands under the rows of the one pointed at: what such a probability has meant. */
export const meant = ({ so_far: so }) => so && t("so_far", { n: so.studies, share: percent(so.share), low: percent(so.low), high: percent(so.high) });

/** A report {text, spans} with what was found in it underlined by value, where there is one; spans count code points. */
export function report(said, called, none = "no_report") {
  if (!said) return h("p", { class: "text none", say: () => t(none) });
  const letters = [...said.text], out = [];
  let at = 0;
  for (const span of [...said.spans].sort((a, b) => a.start - b.start || b.end - a.end)) {
    if (span.start < at) continue;
    const say = () => `${span.class ? called(span.class) : ""} ${span.status ? t(span.status) : ""}`.trim();
    const words = letters.slice(span.start, span.end).join("");
    out.push(letters.slice(at, span.start).join(""), h("mark", { class: span.status ?? "silent", title: say() }, words));
    at = span.end;
  }
  return h("p", { class: "text", lang: "fr" }, ...out, letters.slice(at).join(""));
}
