// The answers to one study's questions: one row a class, a letter of the left hand each; what was done can be undone.
// What does not belong here: what is sent, and when (reading.js).

import { SHAPES } from "./bars.js";
import { h, put } from "./dom.js";
import { printed } from "./keys.js";
import { both, percent, t } from "./words.js";

/** What a press makes of a value that was `first`: the other of present and absent, then uncertain, then as it was. */
export function pressed(value, first) {
  const round = first === "present" ? ["present", "absent", "uncertain"] : first === "uncertain" ? ["uncertain", "present", "absent"] : ["absent", "present", "uncertain"];
  return first ? round[(round.indexOf(value) + 1) % 3] : { present: "absent", absent: "uncertain" }[value] ?? "present";
}

export class Answers {
  constructor(app, onchange) {
    Object.assign(this, { app, onchange, boxes: [], asked: [], values: new Map(), isWaived: false });
    this.element = h("div", { class: "answers" });
  }

  /** `kept`: answers given before; `isBlank`: nothing is filled in before somebody decides. */
  open(turn, { kept = null, isBlank = false }) {
    const asked = this.app.config.classes.filter((one) => turn.asked.includes(one.class));
    Object.assign(this, { turn, asked, boxes: [], history: [], facts: null, isWaived: false, lastFound: null });
    this.first = new Map(asked.map((one) => [one.class, isBlank ? null : "absent"]));
    this.values = new Map(asked.map((one) => [one.class, kept?.[one.class] ?? this.first.get(one.class)]));
    this.#draw();
  }

  /** Shows reference and probabilities beside the answers, from which a change is now a re-reading. */
  reveal(reference, answered) {
    this.facts = { reference, answered };
    this.first = new Map(this.values);
    this.history = [];
    this.#draw();
  }

  get isComplete() { return this.isWaived || [...this.values.values()].every(Boolean); }

  get isChanged() { return [...this.values].some(([name, value]) => this.first.get(name) !== value); }

  get isTouched() { return this.history.length > 0; }

  given() { return Object.fromEntries(this.values); }

  press(name) {
    const before = this.values.get(name), now = pressed(before, this.first.get(name));
    this.history.push(() => this.values.set(name, before));
    this.values.set(name, now);
    this.lastFound = now === "absent" ? null : name;
    if (now === "absent") this.boxes = this.boxes.filter((box) => box.class !== name);
    this.#draw();
    this.onchange();
  }

  addBox(box) {
    this.history.push(() => this.boxes.splice(this.boxes.indexOf(box), 1));
    this.boxes.push(box);
    this.#draw();
    this.onchange();
  }

  /** Takes the last press or box back; says whether there was one. */
  undo() {
    const back = this.history.pop();
    if (!back) return false;
    back();
    this.#draw();
    this.onchange();
    return true;
  }

  #draw() {
    const focused = document.activeElement?.dataset?.class, sections = this.app.config.sections;
    put(this.element, sections.map(({ section, ...words }) => {
      const rows = this.asked.filter((one) => one.section === section).map((one) => this.#row(one));
      return rows.length ? h("section", {}, h("h2", { say: () => both(words) }), ...rows) : null;
    }));
    if (this.facts) this.element.prepend(this.#head());
    if (focused) this.element.querySelector(`[data-class="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  /** What stands above the rows once others' answers stand beside one's own. */
  #head() {
    const word = (key, kind) => h("span", { class: kind, say: () => t(key) });
    return h("div", { class: "answer head", "aria-hidden": "true" }, h("kbd"), h("span", { class: "name" }),
      h("span", { class: "facts" }, word("ref", "ref"), word("chance")), word("yours", "value"));
  }

  #row(one) {
    const value = this.values.get(one.class), count = this.boxes.filter((box) => box.class === one.class).length;
    const words = () => (value ? t(value) : "—");
    const parts = [
      h("kbd", { say: () => (one.key ? printed(one.key) : "") }), h("span", { class: "name", say: () => both(one) + (count ? ` ▢${count > 1 ? count : ""}` : "") }),
      this.facts ? this.#facts(one.class) : this.#opinions(one.class), h("span", { class: `value ${value ?? "none"}` }, SHAPES[value] ?? "", " ", h("span", { say: words })),
    ];
    return h("button", { class: `answer ${value ?? "open"}`, "data-class": one.class, label: () => `${both(one)}: ${words()}`, onclick: () => this.press(one.class) }, ...parts);
  }

  #facts(name) {
    const said = this.facts.reference[name]?.value, one = this.facts.answered.get(name);
    return h("span", { class: "facts" }, h("span", { class: `ref ${said ?? ""}` }, SHAPES[said] ?? ""), h("span", { class: one?.called ? "called" : "" }, one?.probability == null ? "" : percent(one.probability)));
  }

  #opinions(name) {
    const words = (value) => () => t(value in SHAPES ? value : "not_assessable");
    const shape = (answer, i) => h("span", { class: `opinion ${answer[name] ?? ""}` }, h("small", { say: () => t("reader_n", { n: i + 1 }) }), ` ${SHAPES[answer[name]] ?? "–"} `, h("span", { say: words(answer[name]) }));
    return this.turn.answers?.length ? h("span", { class: "opinions" }, ...this.turn.answers.map(shape)) : h("span");
  }

  keys() {
    return this.asked.filter((one) => one.key).map((one) => ({ code: one.key, run: () => this.press(one.class) }));
  }
}
