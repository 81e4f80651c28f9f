// Reading a list: films and questions first, the answer kept, then what others said of it. One answer a study, once.
// What does not belong here: how an answer reaches the server (outbox.js), its rows (answers.js), films (stage.js).

import { get, post } from "./api.js";
import { Answers } from "./answers.js";
import { report } from "./bars.js";
import { ask, pick } from "./dialogs.js";
import { h, put } from "./dom.js";
import { drawn } from "./overlay.js";
import { Stage, hung } from "./stage.js";
import { state } from "./states.js";
import { answering, bestOfEach } from "./viewer.js";
import { clock, number, percent, t } from "./words.js";

const AHEAD = 3;

export class Reading {
  constructor(app, list, role) {
    Object.assign(this, { app, list, role, turns: [], done: new Set(), last: null, isBusy: false, visit: app.visit });
    this.stage = new Stage(app.films, { onpainted: () => this.#painted(), onbox: (film, box) => this.#boxed(film, box) });
    this.answers = new Answers(app, () => this.#changed());
    this.note = h("p", { class: "note", role: "status" });
    this.accepting = h("button", { class: "accept main", onclick: () => this.accept() });
    const small = (words, run) => h("button", { say: () => t(words), onclick: run });
    this.boxer = small("box", () => this.box());
    this.before = [small("not_assessable", () => this.notAssessable()), small("undo", () => this.undo())]; // not after the reveal
    this.tools = h("p", { class: "tools" }, this.before[0], this.boxer, small("comment", () => this.comment()), this.before[1]);
    this.told = h("section", { class: "told", hidden: true });
    this.panel = h("aside", { class: "panel reading" }, this.answers.element, h("div", { class: "act" }, this.accepting, this.tools, this.note), this.told);
    this.element = h("div", { class: "split" }, this.stage.element, this.panel);
    this.progress = h("progress", { label: () => t("study_of", this.#count()), max: 1 });
    this.badge = h("span", { class: "badge" });
  }

  get #address() { return `/page/lists/${encodeURIComponent(this.list.list_id)}`; }

  #count() {
    const { done = 0, of = 0 } = this.looking ?? this.counted ?? {};
    return { n: Math.min(done + 1, of), of };
  }

  async start() {
    this.turn = null;
    try {
      await this.#refill();
      if (!this.isLeft) this.#nextTurn();
    } catch (error) {
      if (!this.isLeft) this.app.failed(error);
    }
  }

  /** Asks for the turns that come next, without the one that is open; returns all that the server has. */
  async #refill() {
    const found = await get(`${this.#address}/next?role=${this.role}&ahead=${AHEAD}`);
    this.counted = { ...found.progress, done: found.progress.done + this.app.outbox.waiting };
    this.turns = found.turns.filter(({ position }) => !this.done.has(position) && position !== this.turn?.position);
    return found.turns;
  }

  #nextTurn() {
    const turn = this.turns.shift();
    if (turn) this.open(turn);
    else if (this.looking?.own.length) this.#lookAtNext();
    else if (this.app.outbox.waiting) this.#sending();
    else this.#finished();
  }

  /** After the end of a list that reveals nothing before: the reader's own answers, each with what else is said of it. */
  look(own) {
    this.looking = { own: [...own], of: own.length, done: -1 };
    return this.#lookAtNext();
  }

  async #lookAtNext() {
    const { position, sequence } = this.looking.own.shift();
    this.looking.done += 1;
    try {
      const shown = await get(`/page/readings/${sequence}/reveal`), turn = await get(`${this.#address}/turns/${position}`);
      if (this.isLeft) return;
      this.open(turn, shown.answers);
      this.#reveal(shown);
    } catch (error) {
      if (this.isLeft) return;
      if (error.code === "not_yet") this.#nextTurn(); // another list still asks for it
      else this.app.failed(error, () => this.start());
    }
  }

  /** Opens a turn; `kept`: answers given before, after an undo. */
  open(turn, kept = null) {
    Object.assign(this, { turn, revealed: false, isBusy: false, comment_: "", began: null, boxing: null });
    this.told.hidden = true;
    this.panel.classList.remove("revealed");
    this.answers.open(turn, { kept, isBlank: this.role === "adjudicator" });
    this.app.show(this);
    this.stage.isBoxing = false;
    this.stage.show(turn.images, turn.priors, this.turns.map(hung));
    this.app.title(() => t("study_of", this.#count()), this.progress, this.badge);
    this.app.bind(this.keys(), this.hints());
    this.relabel();
  }

  #painted() {
    this.began ??= Date.now();
    this.relabel();
  }

  #changed() {
    this.stage.isBoxing = false;
    this.boxing = null;
    this.#drawBoxes();
    this.relabel();
  }

  /** The page is looked at again: what was read elsewhere meanwhile is asked no more, unless an answer was begun. */
  async awake() {
    const { turn } = this, waits = () => this.turn === turn && !this.isBusy && !this.revealed && !this.app.outbox.waiting;
    if (!turn || !waits() || !this.element.isConnected) return;
    const found = await this.#refill().catch(() => null), isThere = found?.some((one) => one.position === turn.position);
    if (!found || isThere || !waits() || this.answers.isTouched) return this.relabel();
    this.app.tell(() => t("read_meanwhile"), "warning");
    return this.#nextTurn();
  }

  get isReady() { return !this.isBusy && this.stage.isPainted && this.answers.isComplete; }

  // --- one answer ---

  async accept(reason = null) {
    if (!this.isReady) return;
    this.isBusy = true;
    this.relabel();
    if (this.revealed) return this.#agreed();
    const { turn } = this, body = this.#body(reason), given = this.answers.given();
    this.done.add(turn.position);
    const sent = this.app.outbox.add("/page/readings", body), isShown = this.list.reveals === "after_answer" && this.role === "reader";
    this.last = null;
    sent.then((answer) => this.#kept(turn, answer, given, isShown), (error) => this.#refused(turn, error, given));
    if (isShown) await Promise.race([sent.catch(() => {}), this.#away()]);
    if (this.turn === turn && !this.revealed && (!isShown || this.app.outbox.trouble)) this.#moveOn();
  }

  #body(reason) {
    const { turn, answers } = this;
    return {
      list_id: this.list.list_id, position: turn.position, role: this.role, study_id: turn.study_id,
      answers: reason ? {} : answers.given(), not_assessable: reason, comment: this.comment_,
      boxes: reason ? [] : answers.boxes.map(({ image_id, class: name, x_px, y_px, width_px, height_px }) => ({ image_id, class: name, x_px, y_px, width_px, height_px })),
      shown: { ...this.stage.shown(), ...this.app.screenful() },
      active_s: Math.round((Date.now() - this.began) / 100) / 10, supersedes: null, is_reread: false,
    };
  }

  #away() {
    return new Promise((resolve) => { this.stopWaiting = resolve; });
  }

  /** What the outbox says: trouble, or none. */
  outboxChanged(outbox) {
    if (outbox.trouble) this.stopWaiting?.();
  }

  #moveOn() {
    if (this.turns.length) {
      this.counted = { ...this.counted, done: this.counted.done + 1 };
      this.#nextTurn();
    } else if (this.app.outbox.waiting) this.#sending();
    else this.start();
  }

  /** Nothing is left to open, and answers are still on their way. */
  #sending() {
    const { outbox } = this.app;
    this.app.show(state("away", () => t(outbox.trouble ? "away" : "sending"), [() => t("away_kept", { n: outbox.waiting })]));
    this.app.tell(null);
  }

  /** Whoever read has gone elsewhere on the page: what arrives late calls nobody back. */
  get isLeft() { return this.app.visit !== this.visit; }

  async #kept(turn, answer, given, isShown) {
    this.last = { sequence: answer.sequence, turn, given };
    if (isShown && this.turn === turn && this.element.isConnected && answer.phase !== "reread") {
      const shown = await get(`/page/readings/${answer.sequence}/reveal`).catch(() => null);
      if (shown && this.turn === turn) return this.#reveal(shown);
      if (this.turn === turn) return this.#moveOn();
    }
    return this.#afterSent(turn);
  }

  /** The answer of `turn` is kept. What is open now stays open, unless it is that turn or the screen that waits. */
  async #afterSent(turn) {
    if (this.isLeft) return;
    try {
      await this.#refill();
      if (this.isLeft) return;
      if (!this.element.isConnected || this.turn === turn) this.#nextTurn();
      else this.stage.setNext(this.turns.map(hung));
      this.relabel();
    } catch (error) { // the outbox says that the server is away; the next answer asks again, where there is one
      if (!this.element.isConnected && !this.app.outbox.waiting && !this.isLeft) this.app.failed(error, () => this.start());
    }
  }

  #refused(turn, error, given) {
    if (error.code === "already_read") {
      this.app.tell(() => `${t("read_elsewhere")}. ${t("read_elsewhere_more", { at: clock(error.problem.decided_at) })}`, "warning");
      return this.turn === turn && !this.isLeft ? this.start() : this.#afterSent(turn);
    }
    this.done.delete(turn.position);
    this.app.fail(error);
    if (this.isLeft) return null;
    if (this.turn === turn && this.element.isConnected) { this.isBusy = false; return this.relabel(); }
    return this.open(turn, given); // an answer that was not taken comes back to whoever gave it
  }

  // --- after the reveal ---

  #reveal({ study, answer }) {
    const { turn } = this;
    this.revealed = true;
    this.isBusy = false;
    const { groups = [], classes = [] } = answer?.studies[0] ?? {}, all = [...groups, ...classes];
    this.answers.reveal(study.reference, new Map(all.map((one) => [one.class, one])));
    const by = all.length ? h("p", { class: "note", say: () => answering(answer.model) }) : null;
    put(this.told, h("h2", { say: () => t("report") }), report(study.report, this.app.called), by);
    this.told.hidden = false;
    this.panel.classList.add("revealed");
    const asked = (answer?.studies[0].boxes ?? []).filter((box) => turn.asked.includes(box.class));
    this.revealedBoxes = bestOfEach(asked.sort((a, b) => b.score - a.score));
    this.#drawBoxes();
    this.relabel();
  }

  async #agreed() {
    const { turn } = this;
    if (this.answers.isChanged) {
      const sent = this.app.outbox.add("/page/readings", { ...this.#body(null), is_reread: true }).catch((error) => this.app.fail(error));
      sent.then(() => this.element.isConnected || this.#afterSent(turn));
    }
    this.last = null;
    const isKnown = await this.#refill().then(() => true, () => false);
    if (this.isLeft) return null;
    return isKnown ? this.#nextTurn() : this.#moveOn();
  }

  // --- the other keys ---

  async notAssessable() {
    if (this.isBusy || this.revealed) return;
    const reason = await pick(() => t("why_not"), this.app.config.not_assessable, (value) => (value === "devices" ? "device" : value));
    if (!reason) return;
    const { isComplete } = this.answers;
    this.answers.isWaived = true;
    await this.accept(reason);
    this.answers.isWaived = isComplete && false;
  }

  async comment() {
    const said = await ask(this.app, () => t("comment"), [], { hasComment: true, text: this.comment_ });
    if (said) this.comment_ = said.comment.trim();
    this.relabel();
  }

  box() {
    this.boxing = this.boxing ? null : this.answers.lastFound;
    this.stage.isBoxing = Boolean(this.boxing);
    this.hint = this.boxing ? () => t("box_for", { name: this.app.called(this.boxing) }) : () => t("box_none");
    put(this.note, h("span", { say: this.hint }));
    this.#boxMode();
  }

  #boxMode() {
    this.boxer.setAttribute("aria-pressed", Boolean(this.boxing));
    this.note.classList.toggle("act-now", Boolean(this.boxing));
  }

  #boxed(film, box) {
    if (!this.boxing) return;
    const unit = film.stored[1] / (film.native ?? film.stored)[1];
    this.answers.addBox({ image_id: film.image_id, class: this.boxing, x_px: box.x * unit, y_px: box.y * unit, width_px: box.width * unit, height_px: box.height * unit, native: box });
  }

  #drawBoxes() {
    for (const pane of this.stage.own) {
      const mine = this.answers.boxes.filter((box) => box.image_id === pane.film.image_id).map((box) => ({ ...box.native, tag: () => this.app.called(box.class), kind: "mine" }));
      const theirs = (this.revealed ? this.revealedBoxes : []).filter((box) => box.file === pane.film.image_id).map((box) => ({
        ...drawn(box), tag: () => `${this.app.called(box.class)} ${percent(box.score)}`,
      }));
      pane.overlay.setBoxes([...mine, ...theirs]);
    }
  }

  async undo() {
    if (this.isBusy || this.answers.undo()) return;
    if (!this.last || this.revealed) return;
    const { sequence, turn, given } = this.last;
    this.isBusy = true;
    try {
      await post("/page/readings/undo", { sequence });
      this.done.delete(turn.position);
      this.turns.unshift(this.turn);
      this.counted = { ...this.counted, done: this.counted.done - 1 };
      this.last = null;
      this.open(turn, given);
    } catch (error) {
      this.isBusy = false;
      this.app.fail(error);
    }
  }

  async #finished() {
    try {
      const end = await get(`${this.#address}/done`), k = (value) => number(value, 2);
      if (this.isLeft) return;
      if (end.yours.left && this.done.size && this.role === "reader") { // told of before the last answers arrived
        this.done.clear();
        return this.start();
      }
      const { between, within } = end, lines = [() => t("read_n", { n: end.yours.read, of: end.yours.read + end.yours.left })];
      const agreed = between?.kappa != null ? () => t("kappa", { k: k(between.kappa), low: k(between.low), high: k(between.high) }) : () => t("kappa_none");
      if (within?.kappa != null) lines.push(() => t("kappa_within", { n: within.cells, k: k(within.kappa) }));
      const next = { reader: () => t("next_reader", { n: end.waiting_for_readers }), adjudicator: () => t("next_adjudicator", { n: end.waiting_for_adjudicator }) };
      lines.push(agreed, next[end.waiting_for_readers ? "reader" : end.waiting_for_adjudicator ? "adjudicator" : ""] ?? (() => t("next_complete")));
      const look = end.own?.length && this.list.reveals === "at_end" ? [[() => this.look(end.own), () => t("look")]] : [];
      this.app.show(state("done", () => t("all_read"), lines, [...look, this.app.homeward]));
    } catch (error) {
      if (!this.isLeft) this.app.failed(error, () => this.start());
    }
  }

  keys() {
    const accept = () => this.accept();
    return [
      ...this.answers.keys(), ...this.stage.keys(), { key: " ", run: accept }, { key: "Enter", run: accept }, { key: "Backspace", run: () => this.undo() },
      { code: "KeyN", run: () => this.notAssessable() }, { code: "KeyB", run: () => this.box() }, { key: "/", run: () => this.comment() },
    ];
  }

  hints() {
    return [["k_letter", "c_cycle"], ["k_space", "c_accept"], ["KeyN", "c_not"], ["KeyB", "c_box"], ["k_back", "c_undo"], ["/", "c_comment"], ...this.stage.hints().slice(3, 6)];
  }

  relabel() {
    const words = !this.stage.isPainted ? "painting" : this.isBusy ? "sending" : !this.revealed ? "accept" : this.answers.isChanged ? "correct" : "agree";
    this.accepting.disabled = !this.isReady;
    for (const one of this.before) one.hidden = Boolean(this.revealed);
    this.#boxMode();
    put(this.accepting, h("kbd", { say: () => t("k_space") }), " ", h("span", { say: () => t(words) }));
    const badge = this.revealed ? "revealed" : this.role === "adjudicator" ? "adjudication" : "blind";
    put(this.badge, h("span", { say: () => t(badge) }));
    this.badge.className = `badge ${badge}`;
    const hint = this.role === "adjudicator" ? "two_answers" : this.list.reveals;
    if (!this.boxing) put(this.note, this.revealed ? null : h("span", { say: () => t(hint) }), this.comment_ ? h("q", {}, this.comment_) : null);
    const { done = 0, of = 0 } = this.looking ?? this.counted ?? {};
    this.progress.value = of ? done / of : 0;
    this.app.retitle();
    this.stage.relabel();
  }

  close() { this.stage.close(); }
}
