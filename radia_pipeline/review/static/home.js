// The first screen: what waits to be read, cases to look at, and a film to open.
// What does not belong here: reading and viewing themselves.

import { get } from "./api.js";
import { h, put } from "./dom.js";
import { t } from "./words.js";

const SHOWN = 60;

function list(one) {
  const go = (role, words) => h("a", { class: "button main", href: `#read/${encodeURIComponent(one.list_id)}/${role}`, say: () => t(words) });
  const isDone = one.left === 0;
  return h("li", { class: "list" },
    h("strong", {}, one.list_id), h("progress", { max: Math.max(one.turns, 1), value: one.turns - one.left, label: () => one.list_id }),
    h("span", { class: "much", say: () => (isDone ? t("list_done") : t("left", { left: one.left, of: one.turns })) }),
    isDone ? h("a", { class: "button", href: `#read/${encodeURIComponent(one.list_id)}/reader`, say: () => "κ", label: () => t("all_read") }) : go("reader", "read"),
    one.adjudications ? go("adjudicator", "adjudicate") : null, one.adjudications ? h("span", { class: "much", say: () => t("waiting_adjudication", { n: one.adjudications }) }) : null);
}

function study(one) {
  const words = () => [one.views.map((view) => t(view)).join(" + "), one.sex, one.age_years && t("years", { n: one.age_years })].filter(Boolean).join(" · ");
  const more = () => [one.has_report ? t("has_report") : "", one.has_prior ? t("has_prior") : ""].filter(Boolean).join(", ");
  const inside = [h("b", {}, one.study_id.slice(0, 8)), h("span", { say: words }), h("small", { say: more })];
  return h("li", {}, h("a", { class: "case", href: `#study/${one.study_id}` }, ...inside));
}

export async function home(app) {
  const { visit } = app, [{ lists }, first] = await Promise.all([get("/page/lists"), get(`/page/studies?withheld=false&limit=${SHOWN}`)]);
  const cases = h("ul", { class: "cases" }), more = h("button", { say: () => t("more"), onclick: () => add(null) });
  let seen = 0;
  app.cases = [];
  const add = async (found) => {
    const { studies, total } = found ?? (await get(`/page/studies?withheld=false&limit=${SHOWN}&offset=${seen}`));
    seen += studies.length;
    cases.append(...studies.map(study));
    app.cases.push(...studies.map((one) => one.study_id));
    more.hidden = seen >= total || !studies.length;
  };
  if (app.visit !== visit) return;
  await add(first);
  const file = h("input", { type: "file", id: "file", multiple: true, onchange: () => file.files.length && app.openFiles([...file.files]) });
  const identified = h("input", { type: "checkbox", checked: app.isIdentified, onchange: () => (app.isIdentified = identified.checked) });
  const told = (words) => h("p", { class: "none", say: () => t(words) });
  app.show(h("div", { class: "home" },
    h("section", {}, h("h1", { say: () => t("to_read") }), lists.length ? h("ul", { class: "lists" }, ...lists.map(list)) : told("no_lists")),
    h("section", {}, h("h1", { say: () => t("open") }), h("p", {}, h("label", { class: "button main", for: "file", say: () => t("open") }), file, " ", h("span", { say: () => t("drop") })),
      h("p", {}, h("label", {}, identified, h("span", { say: () => t("identified") })))),
    h("section", {}, h("h1", { say: () => t(app.config.is_demo ? "phantoms" : "cases") }), seen ? cases : told("no_cases"), more)));
}
