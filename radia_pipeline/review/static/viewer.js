// The viewer: a study's films, what the models say of it, what the report says, and "wrong".
// What does not belong here: how a row or a film looks (bars.js, pane.js), reading a list (reading.js).

import { get } from "./api.js";
import { branches, head, meant, report, row } from "./bars.js";
import { h, put } from "./dom.js";
import { ask, choice } from "./dialogs.js";
import { drawn } from "./overlay.js";
import { Stage, hung } from "./stage.js";
import { state } from "./states.js";
import { both, percent, t } from "./words.js";

/** What a film's maps say: Map from class to {values, width, height, outline, warning}. */
export function mapsOf({ shape: [height, width], maps, thorax, thorax_found: isFound }) {
  const values = (data) => Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const one = (map) => ({ values: values(map.data), width, height, outline: thorax, warning: map.warning && (isFound ? "outside" : "no_chest") });
  return new Map(maps.map((map) => [map.class, one(map)]));
}

/** The first box of each class. */
export const bestOfEach = (boxes) => boxes.filter((box, i) => boxes.findIndex((one) => one.class === box.class) === i);

/** Intersection over union of two boxes. */
function overlap(a, b) {
  const side = (at, long) => Math.max(Math.min(a[at] + a[long], b[at] + b[long]) - Math.max(a[at], b[at]), 0);
  const both = side("x_px", "width_px") * side("y_px", "height_px");
  return both / (a.width_px * a.height_px + b.width_px * b.height_px - both);
}

/** Which ensemble answers, and who stands behind it: words of an answer's {kind, ensemble, release, standing, stated_shift}. */
export const answering = (model) => {
  if (model.kind !== "champion") return t("by_ensemble", { version: model.ensemble.slice(0, 8) });
  const said = t("by_champion", { release: model.release.slice(0, 8), standing: t(`standing_${model.standing}`) });
  return model.stated_shift ? `${said} ${t("shift", { text: model.stated_shift })}` : said;
};

export class Viewer {
  constructor(app) {
    this.app = app;
    this.stage = new Stage(app.films);
    this.rows = h("div", { class: "findings" });
    this.detail = h("p", { class: "detail", role: "status" });
    this.told = h("section", { class: "told" });
    this.switch = h("button", { class: "switch", onclick: () => this.toggleRegions() });
    this.source = h("p", { class: "note source" });
    this.panel = h("aside", { class: "panel" }, this.rows, this.detail, this.told, this.source);
    this.element = h("div", { class: "split" }, this.stage.element, this.panel);
    this.isRegions = false;
    this.ahead = new Map(); // the studies that come next, by id
  }

  /** Opens a study of the lake; `next`: ids of those that follow. */
  async open(id, next = []) {
    this.id = id;
    this.#wait();
    try {
      this.study = this.ahead.get(id) ?? await get(`/page/studies/${id}`);
      if (this.id === id) await this.#show(`/page/studies/${id}/answer`, next);
    } catch (error) {
      if (this.id === id) this.app.failed(error);
    }
  }

  /** Shows what was uploaded, or why it was refused. */
  openUpload({ images, answer }) {
    this.id = null;
    const one = answer.studies[0], refused = one.files.filter((file) => file.reason);
    if (!images.length) return this.app.show(this.refusal(refused));
    this.study = { images, priors: [], reference: {}, report: null, report_state: "none", refused };
    this.#wait();
    this.#shown();
    this.#answered(one, null, answer.model);
    return null;
  }

  refusal(files) {
    const lines = files.flatMap((file) => [() => both(this.app.reason(file.reason).means), () => both(this.app.reason(file.reason).do)]);
    const what = () => both(this.app.reason(files[0]?.reason).title);
    return state("refused", () => t("refused", { what: what() }), [...lines, () => t("refused_more")], [this.app.homeward]);
  }

  #wait() {
    Object.assign(this, { answer: null, maps: new Map(), pinned: null });
    put(this.rows);
    put(this.told);
    put(this.source);
    put(this.detail, h("span", { say: () => t(this.app.config.is_ready === false ? "e_starting" : this.app.config.has_model ? "thinking" : "no_model") }));
  }

  async #show(address, next) {
    this.#shown(next);
    this.#lookAhead(next);
    if (!this.app.config.has_model) return;
    const { id } = this, prior = this.study.priors[0];
    const [answer, before] = await Promise.all([get(address), prior ? get(`/page/studies/${prior.study_id}/answer`).catch(() => null) : null]);
    if (this.id === id) this.#answered(answer.studies[0], before?.studies[0], answer.model);
  }

  /** Says under all which ensemble answered; what nobody has validated is said as what is doubtful is. */
  #tellSource(model) {
    const isDoubtful = model.kind === "champion" && (model.standing !== "validated" || model.stated_shift);
    put(this.source, h("span", { class: isDoubtful ? "flag" : null, say: () => answering(model) }));
  }

  /** The next studies are asked for, and their films: a key shows the next one at once. */
  async #lookAhead(ids) {
    const { id } = this, three = ids.slice(0, 3);
    const found = await Promise.all(three.map(async (one) => this.ahead.get(one) ?? get(`/page/studies/${one}`).catch(() => null)));
    if (this.id !== id) return;
    this.ahead = new Map(found.filter(Boolean).map((study) => [study.study_id, study]));
    this.stage.setNext([...this.ahead.values()].map(hung));
  }

  #shown(next = []) {
    const { study } = this, here = next.map((id) => this.ahead.get(id)).filter(Boolean);
    this.stage.show(study.images, study.priors, here.map(hung));
    this.app.title(() => [
      study.study_id?.slice(0, 8), study.images.map((image) => t(image.view)).join(" + "), study.sex, study.age_years && t("years", { n: study.age_years }),
    ].filter(Boolean).join(" · "), this.switch);
    this.tell();
    this.#relabelSwitch();
    this.app.bind(this.keys(), this.hints());
  }

  async #answered(answer, before, model) {
    if (!answer.groups) return this.#silent(answer);
    this.#tellSource(model);
    Object.assign(this, { answer, before: before?.groups ? before : null });
    this.fill();
    const film = this.stage.own[0]?.film, { id } = this;
    await this.stage.own[0]?.loading; // the film at its full resolution is waited for, a map seldom
    const found = film?.maps && this.id === id ? await get(film.maps).catch(() => null) : null;
    if (this.id !== id || !found) return;
    this.maps = mapsOf(found);
    if (this.pointed) this.point(this.pointed, this.one);
  }

  /** Says why the models say nothing. */
  #silent({ files }) {
    const words = ({ reason }) => () => ["means", "do"].map((part) => both(this.app.reason(reason)[part])).join(" ");
    put(this.rows, files.filter((file) => file.reason).map((file) => h("p", { class: "flag", say: words(file) })));
    put(this.detail, h("span", { say: () => t("refused_more") }));
  }

  /** Fills rows and boxes, by names or by regions. */
  fill() {
    if (!this.answer) return;
    const boxes = this.#boxes(), all = [...this.answer.groups, ...this.answer.classes], of = (list) => new Map(list.map((one) => [one.class, one]));
    const now = of(all), before = of(this.before ? [...this.before.groups, ...this.before.classes, this.before.abnormal] : []);
    const made = (one, name, depth, reference) => row({
      name, depth, one, reference, key: one.class, before: before.get(one.class), act: (isOn) => this.point(isOn ? one.class : null, one),
    });
    const normal = made(this.answer.abnormal, () => t("abnormal"), 0, null);
    const classes = this.app.config.classes.filter((one) => now.has(one.class));
    const tree = branches(classes, (name) => now.get(name).probability ?? -1);
    const named = tree.map(([one, depth]) => made(now.get(one.class), () => both(one), depth, this.study.reference[one.class]?.value));
    const regions = boxes.map((box, i) => h("button", { class: "finding region", say: () => `${t("region", { n: i + 1 })} · ${percent(box.score)}`, onfocus: () => this.light(i), onpointerenter: () => this.light(i), onblur: () => this.light(null), onpointerleave: () => this.light(null) }));
    const none = boxes.length ? [] : [h("p", { class: "detail", say: () => t("no_regions") })];
    put(this.rows, head(), normal, ...(this.isRegions ? [...regions, ...none] : named));
    this.rows.querySelector("button")?.setAttribute("tabindex", "0");
    this.told.hidden = this.isRegions;
    this.point(null);
    this.drawBoxes();
  }

  /** The boxes to show: of the finding pointed at, else the best of each that is called; regions, each place once. */
  #boxes() {
    const film = this.stage.own[0]?.film, on = (this.answer?.boxes ?? []).filter((box) => box.file === film?.image_id);
    const best = [...on].sort((a, b) => b.score - a.score), called = new Set(this.answer?.called);
    if (this.isRegions) return best.reduce((kept, box) => (kept.some((one) => overlap(one, box) > 0.3) ? kept : [...kept, box]), []);
    if (best.some((box) => box.class === this.pointed)) return best.filter((box) => box.class === this.pointed);
    return bestOfEach(best.filter((box) => called.has(box.class)));
  }

  drawBoxes(lit = null) {
    const tag = (box, i) => () => (this.isRegions ? `${i + 1}` : `${this.app.called(box.class)} ${percent(box.score)}`);
    this.stage.own[0]?.overlay.setBoxes(this.#boxes().map((box, i) => ({
      ...drawn(box), tag: tag(box, i), kind: lit === i ? "lit" : "",
    })));
  }

  light(i) {
    this.drawBoxes(i);
  }

  /** Shows where the model saw a class (null: nothing), and what its probability has meant. */
  point(name, one) {
    [this.pointed, this.one] = [name, one];
    const map = name && !this.isRegions ? this.maps.get(name) : null;
    this.stage.own[0]?.overlay.setMap(map ?? null);
    if (!this.isRegions) this.drawBoxes();
    if (!name) return put(this.detail, this.isRegions ? null : h("span", { say: () => t("hint") }));
    const called = () => (one.class === this.answer.abnormal.class ? t("abnormal") : this.app.called(name));
    return put(this.detail,
      h("span", { say: () => t(map ? "looked" : "no_map", { name: called() }) }), " ",
      map?.warning ? h("strong", { say: () => t(map.warning) }) : null, " ", h("span", { say: () => meant(one) ?? "" }));
  }

  /** Says what the report says, its devices, and what is doubtful about the films. */
  tell() {
    const { report: said, report_state: how, images, refused = [] } = this.study;
    const raised = [...new Set(images.flatMap((image) => image.flags ?? []).map((flag) => flag.flag))];
    const flags = raised.map((flag) => h("p", { class: "flag", say: () => `${both(this.app.reason(flag).means)} ${both(this.app.reason(flag).do)}` }));
    const held = refused.map((file) => h("p", { class: "flag", say: () => t("refused", { what: both(this.app.reason(file.reason).means) }) }));
    const device = (kind) => () => (said.misplaced_devices.includes(kind) ? t("misplaced", { name: both(this.app.device(kind)) }) : both(this.app.device(kind)));
    const devices = said?.devices.length ? h("p", { class: "devices" }, h("span", { say: () => `${t("devices")}: ` }), ...said.devices.map((kind) => h("span", { class: "chip", say: device(kind) }))) : null;
    const text = report(said, this.app.called, how === "refused" ? "report_held" : "no_report");
    put(this.told, ...flags, ...held, h("h2", { say: () => t("report") }), text, devices);
  }

  toggleRegions() {
    this.isRegions = !this.isRegions;
    this.stage.own[0]?.overlay.setMap(null);
    this.#relabelSwitch();
    this.fill();
  }

  #relabelSwitch() {
    const option = (is, key) => h("span", { class: this.isRegions === is ? "on" : "", say: () => t(key) });
    this.switch.setAttribute("aria-pressed", this.isRegions);
    put(this.switch, option(false, "names"), option(true, "regions"));
  }

  async wrong() {
    const name = this.pointed;
    if (!name || !this.study.study_id || !this.app.named(name)) return;
    const one = [...this.answer.groups, ...this.answer.classes].find((found) => found.class === name);
    const said = await ask(this.app, () => t("wrong_title", { name: this.app.called(name) }), [
      choice("answer", "wrong_answer", ["absent", "present", "uncertain"], (key) => key, one?.called ? "absent" : "present"),
      choice("about", "wrong_about", this.app.config.wrong_about, (key) => `about_${key}`, "prediction"),
    ], { hasComment: true });
    if (!said) return;
    const body = { class: name, boxes: [], ...said, ...this.app.screenful() };
    await this.app.outbox.add(`/page/studies/${this.study.study_id}/wrong`, body);
    this.app.tell(() => t("wrong_kept"));
  }

  step(by) {
    const rows = [...this.rows.querySelectorAll("button")], at = rows.indexOf(document.activeElement);
    const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    for (const one of rows) one.tabIndex = one === next ? 0 : -1;
    next?.focus();
  }

  keys() {
    const isPane = () => document.activeElement?.classList.contains("pane");
    return [
      ...this.stage.keys(), { code: "KeyR", run: () => this.toggleRegions() }, { code: "KeyW", run: () => this.wrong() },
      { key: "ArrowDown", run: () => isPane() || this.step(1) }, { key: "ArrowUp", run: () => isPane() || this.step(-1) },
      { key: " ", run: () => this.app.nextCase(1) }, { key: "Enter", run: () => this.app.nextCase(1) }, { key: "Backspace", run: () => this.app.nextCase(-1) },
    ];
  }

  hints() {
    const ofTheLake = this.study.study_id ? [["KeyW", "c_wrong"], ["k_space", "c_next"]] : [];
    return [...this.stage.hints(), ["KeyR", "c_regions"], ...ofTheLake];
  }

  relabel() {
    this.stage.relabel();
    this.drawBoxes();
  }

  close() { this.stage.close(); }
}
