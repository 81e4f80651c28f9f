// The films of a study, hung: the frontal one large, lateral and prior beside it; portrait screens stack them.
// What does not belong here: one film (pane.js), findings and answers (viewer.js, reading.js).

import { h, put } from "./dom.js";
import { Pane } from "./pane.js";
import { t } from "./words.js";

/** The films of a study that hang: its own, and the frontal one of the nearest prior. */
export const hung = ({ images, priors: [prior] }) => [...images, ...(prior?.images.slice(0, 1) ?? [])];

/** Promise that the next frame is on the screen. */
const frame = () => new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); });

export class Stage {
  #pool = [];

  /** `onpainted`: each view of the study has been on the screen; `onbox(film, box)`: a box in native pixels. */
  constructor(films, { onpainted = () => {}, onbox = () => {} } = {}) {
    Object.assign(this, { films, onpainted, onbox, panes: [], own: [], next: [] });
    this.element = h("div", { class: "stage", onpointerover: (event) => this.#over(event), onpointerleave: () => (this.hovered = null) });
  }

  #over(event) {
    this.hovered = this.panes.find((pane) => pane.element.contains(event.target)) ?? null;
  }

  /** Shows images and the nearest prior's frontal film; the next studies' films are fetched after them. */
  show(images, priors, next = []) {
    const prior = priors[0], before = hung({ images: [], priors });
    this.next = next;
    this.films.keep([...images, ...before], next);
    while (this.#pool.length < images.length + before.length) this.#pool.push(this.#made());
    this.panes = this.#pool.slice(0, images.length + before.length);
    for (const pane of this.#pool.slice(this.panes.length)) pane.show(null);
    put(this.element, this.panes.map((pane) => pane.element));
    this.own = this.panes.slice(0, images.length);
    this.prior = this.panes[images.length] ?? null;
    this.enlarge(this.panes[0]);
    let turn = null; // the large film first, the others a frame later each
    for (const [i, pane] of this.own.entries()) {
      pane.show(images[i], () => t(images[i].view), { turn });
      turn = (turn ?? Promise.resolve()).then(frame);
    }
    this.prior?.show(before[0], () => `${t("prior")} · ${t("days", { n: prior.days_before })} · ${t(before[0].view)}`, { turn });
    this.element.dataset.films = this.panes.length;
  }

  /** The films of the studies that come next (lists of films), where they are known later. */
  setNext(next) {
    this.next = next;
    this.films.keep(this.panes.map((pane) => pane.film), next);
    if (this.isPainted) this.#ahead();
  }

  /** The next studies' films come once these stand at their full resolution. */
  async #ahead() {
    await Promise.all(this.panes.map((pane) => pane.loading));
    this.films.ahead(this.next);
  }

  #made() {
    return new Pane(this.films, { onpaint: () => this.#painted(), onbox: (one, box) => this.onbox(one.film, box) });
  }

  #painted() {
    if (!this.isPainted) return;
    this.onpainted();
    this.#ahead();
  }

  get isPainted() { return this.own.length > 0 && this.own.every((pane) => pane.isPainted); }

  /** The pane that a key means: under the pointer, else with the focus, else the large one. */
  get active() {
    return this.hovered ?? this.panes.find((pane) => pane.element === document.activeElement) ?? this.large;
  }

  enlarge(pane) {
    this.large = pane ?? null;
    for (const one of this.panes) one.element.toggleAttribute("data-large", one === pane);
  }

  swapPrior() {
    if (this.prior) this.enlarge(this.large === this.prior ? this.panes[0] : this.prior);
  }

  relabel() {
    for (const pane of this.panes) pane.relabel();
  }

  set isBoxing(is) {
    for (const pane of this.own) {
      pane.isBoxing = is;
      pane.element.toggleAttribute("data-boxing", is);
    }
  }

  /** What was on the screen, as a reading keeps it. */
  shown() {
    const seen = this.own.map((pane) => pane.seen);
    return {
      images: this.own.filter((pane) => pane.isPainted).map((pane) => pane.film.image_id),
      is_native: this.own.every((pane) => pane.isNative),
      windows: seen.flatMap((one) => [...one.windows.values()]).slice(0, 32),
      zoom: Math.max(...seen.map((one) => one.zoom)),
      is_one_to_one: seen.some((one) => one.isOneToOne),
    };
  }

  keys() {
    return [
      { code: "KeyI", run: () => this.active?.invert() }, { code: "Digit0", run: () => this.active?.fit() },
      { code: "Digit1", run: () => this.active?.oneToOne() }, { code: "Numpad0", run: () => this.active?.fit() },
      { code: "Numpad1", run: () => this.active?.oneToOne() }, { code: "KeyP", run: () => this.swapPrior() },
      { code: "KeyO", run: () => this.panes.forEach((pane) => pane.reset()) },
      { key: "+", run: () => this.active?.zoom(1.25) }, { key: "-", run: () => this.active?.zoom(0.8) },
    ];
  }

  hints() {
    const own = [["k_drag", "c_window"], ["k_wheel", "c_zoom"], ["k_right", "c_pan"], ["KeyI", "c_invert"], ["Digit0", "c_fit"], ["Digit1", "c_one"], ["KeyO", "c_reset"]];
    return this.prior ? [...own, ["KeyP", "c_prior"]] : own;
  }

  close() {
    for (const pane of this.#pool) pane.close();
    [this.#pool, this.panes, this.own] = [[], [], []];
    this.films.keep([]);
  }
}
