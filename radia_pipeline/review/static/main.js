// The page: its frame, what is open in it, and what its parts share. The address after # says what is open.
// What does not belong here: what a screen does (viewer.js, reading.js, home.js).

import { freshKey, get, upload } from "./api.js";
import { h, put, relabel } from "./dom.js";
import { help, hints } from "./dialogs.js";
import { Films } from "./films.js";
import { home } from "./home.js";
import { bind, listen } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Reading } from "./reading.js";
import { failed, said, state } from "./states.js";
import { both, languageNow, setLanguage, t } from "./words.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const TYPES = { dcm: "application/dicom", png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg" };

class App {
  films = new Films();
  cases = [];
  visit = 0; // counts what was opened: what arrives late knows that somebody went elsewhere
  isIdentified = false;

  async start() {
    setLanguage(languageNow());
    listen();
    this.#frame();
    this.show(state("loading", () => t("loading")));
    this.outbox = new Outbox({ onchange: (box) => this.#waiting(box), onrefused: (error) => this.fail(error) });
    window.addEventListener("hashchange", () => this.route());
    for (const name of ["focus", "visibilitychange"]) window.addEventListener(name, () => document.hidden || this.screen?.awake?.(), true);
    for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => this.#dropped(event));
    await this.#configure();
  }

  async #configure() {
    try {
      this.config = await get("/page/config");
      this.classes = new Map(this.config.classes.map((one) => [one.class, one]));
      this.#frame();
      await this.route();
      if (this.config.is_ready === false) setTimeout(() => this.#ready(), 1500);
    } catch (error) {
      this.show(failed(error, [[() => this.#configure(), () => t("again")]]));
    }
  }

  /** The models are opened after the page: what waits for them opens again when they are there. */
  async #ready() {
    const config = await get("/page/config").catch(() => null);
    if (!config?.is_ready) return setTimeout(() => this.#ready(), 1500);
    this.config = config;
    if (this.screen instanceof Viewer && this.screen.id) this.route();
    return null;
  }

  named = (name) => this.classes.get(name);
  called = (name) => both(this.named(name));
  reason = (name) => this.config.words?.[name] ?? plain(name);
  device = (kind) => this.config.devices?.[kind] ?? plain(kind);
  screenful = () => ({ language: languageNow(), screen: `${screen.width}x${screen.height}` });

  // --- where we are ---

  async route() {
    const [, what, id, role] = decodeURIComponent(location.hash).match(/^#(\w+)\/([^/]+)(?:\/(\w+))?$/) ?? [];
    this.tell(null);
    const visit = (this.visit += 1);
    try {
      if (what === "study") await this.#view().open(id, this.#following(id));
      else if (what === "read") await this.#read(id, role ?? "reader");
      else await home(this);
    } catch (error) {
      if (this.visit === visit) this.failed(error, () => this.route());
    }
  }

  go(hash) {
    if (location.hash === hash) this.route();
    else location.hash = hash;
  }

  home() { this.go(""); }

  get homeward() { return [() => this.home(), () => t("home")]; }

  /** Shows an error in the place of what failed, with a way home and, where it helps, to try `again`. */
  failed(error, again) {
    this.show(failed(error, [...(again ? [[again, () => t("again")]] : []), this.homeward]));
  }

  #view() {
    if (!(this.screen instanceof Viewer)) this.show(new Viewer(this));
    return this.screen;
  }

  async #read(id, role) {
    const { visit } = this, { lists } = await get("/page/lists"), list = lists.find((one) => one.list_id === id);
    if (this.visit !== visit) return null;
    if (!list) return this.home();
    return new Reading(this, list, role).start();
  }

  #following(id) {
    return this.cases.slice(this.cases.indexOf(id) + 1);
  }

  nextCase(by) {
    const next = this.cases[this.cases.indexOf(this.screen?.id) + by];
    if (next && this.screen?.id) this.go(`#study/${next}`);
  }

  // --- the frame ---

  #frame() {
    this.where = h("div", { id: "where" });
    this.count = h("span", { id: "waiting", class: "badge warning", hidden: true });
    put($("top"), h("a", { href: "#", class: "brand", label: () => `RadIA, ${t("home")}` }, "RadIA"), this.where, this.count,
      h("span", { class: "notice", say: () => t("notice") }), h("span", { class: "user" }, this.config?.user ?? ""),
      h("button", { say: () => (languageNow() === "fr" ? "EN" : "FR"), label: () => t("language"), onclick: () => this.#switch() }),
      h("button", { say: () => "?", label: () => t("help"), onclick: () => help(this.hints ?? []) }));
  }

  #switch() {
    setLanguage(languageNow() === "fr" ? "en" : "fr");
    relabel();
    this.screen?.relabel?.();
  }

  /** What the head says: words, then elements. */
  title(words, ...elements) {
    put(this.where, h("h1", { say: words }), ...elements);
  }

  retitle() { relabel(this.where); }

  /** Puts a screen, or an element, in the place of what is there. */
  show(screen) {
    if (this.screen !== screen && this.screen?.close) this.screen.close();
    this.screen = screen;
    const element = screen.element ?? screen;
    if (element.parentNode !== $("screen")) put($("screen"), element);
    if (screen.element) return;
    this.bind([], []);
    put(this.where);
  }

  bind(keys, list) {
    this.hints = list;
    bind([...keys, { key: "?", run: () => help(list) }]);
    put($("keys"), hints(list), list.length ? hints([["?", "c_help"]]) : null);
  }

  /** Says something above the screen; null: nothing more. */
  tell(words, kind = "") {
    put($("banner"), words ? h("p", { class: kind }, h("span", { say: words }), h("button", { say: () => "×", label: () => t("close"), onclick: () => this.tell(null) })) : null);
  }

  fail(error) {
    const [title, lines] = said(error);
    this.tell(() => [title(), ...lines.map((line) => line())].join(". "), "warning");
  }

  #waiting(outbox) {
    const isAway = Boolean(outbox.trouble) && outbox.waiting > 0, words = () => t("away_kept", { n: outbox.waiting });
    this.count.hidden = !isAway;
    put(this.count, h("span", { say: () => t("waiting", { n: outbox.waiting }) }));
    if (isAway && !$("screen").querySelector(".state.away")) this.tell(() => `${t("away")}. ${words()}`, "warning");
    else if (this.wasAway) this.tell(null);
    this.wasAway = isAway;
    this.screen?.outboxChanged?.(outbox);
  }

  // --- films from outside ---

  #dropped(event) {
    event.preventDefault();
    if (event.type === "drop" && event.dataTransfer.files.length) this.openFiles([...event.dataTransfer.files]);
  }

  async openFiles(files) {
    if (location.hash) history.pushState(null, "", "#");
    const visit = (this.visit += 1);
    this.show(state("loading", () => t("loading"), [() => t("thinking")]));
    try {
      const { body, type } = await packed(files), found = await upload(`/page/uploads?identified=${this.isIdentified}`, body, type);
      if (this.visit === visit) this.#view().openUpload(found);
    } catch (error) {
      if (this.visit !== visit) return;
      const refused = error.problem?.answer?.studies?.flatMap((study) => study.files).filter((file) => file.reason);
      if (refused?.length) this.show(new Viewer(this).refusal(refused));
      else this.failed(error);
    }
  }
}

const plain = (name) => {
  const words = String(name ?? "").replaceAll("_", " "), same = { english: words, french: words };
  return { ...same, title: same, means: same, do: { english: "", french: "" } };
};

/** One file as it is, several as the parts of one study's message. */
async function packed(files) {
  if (files.length === 1) return { body: files[0], type: TYPES[files[0].name.split(".").pop().toLowerCase()] ?? "application/octet-stream" };
  const mark = freshKey(), parts = files.flatMap((file) => [`--${mark}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n"]);
  return { body: new Blob([...parts, `--${mark}--\r\n`]), type: `multipart/related; type="application/dicom"; boundary=${mark}` };
}

new App().start();
