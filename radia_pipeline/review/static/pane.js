// One film on the screen: canvas, what lies over it, and the gestures that need no modes.
// What does not belong here: grey values (pixels.js), what boxes and maps mean (overlay.js), what a study is.

import { h } from "./dom.js";
import { AS_MADE, colour, fillTable, resample, windowOf } from "./pixels.js";
import { Overlay } from "./overlay.js";
import { number, t } from "./words.js";

const ZOOM_PER_PX = 0.0016, WINDOW_PER_PX = 1 / 350, MOST_ZOOM = 12, TAP_MS = 320, TAP_PX = 24;

export class Pane {
  /** `onpaint(pane)`: after each film's first picture; `onbox(pane, box)`: a box was drawn, in native pixels. */
  constructor(films, { onpaint = () => {}, onbox = () => {} } = {}) {
    Object.assign(this, { films, onpaint, onbox, words: new Uint32Array(65536), pointers: new Map(), stale: new Set(), isBoxing: false });
    this.canvas = h("canvas");
    this.overlay = new Overlay();
    this.caption = h("span", { class: "caption" });
    this.readout = h("span", { class: "readout" });
    this.trouble = h("p", { class: "trouble", role: "status" });
    const over = [this.overlay.element, this.caption, this.readout, this.trouble];
    this.element = h("div", { class: "pane", tabindex: "0", role: "img" }, this.canvas, ...over);
    this.context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    this.sizes = new ResizeObserver((found) => this.#resized(found[0]));
    this.sizes.observe(this.element, { box: "device-pixel-content-box" });
    for (const [name, act] of Object.entries(this.#gestures())) this.element.addEventListener(name, act, { passive: false });
    this.show(null);
  }

  /**
   * Shows a film (null: none), stored image first, native in its place when it is here. `caption`: says what it is; `turn`:
   * what a film that is here already waits for.
   */
  show(film, caption = () => "", { isNative = true, turn = null } = {}) {
    this.film = film;
    this.image = null;
    this.isPainted = this.isNative = false;
    this.seen = { windows: new Map(), zoom: 0, isOneToOne: false };
    this.say = caption;
    this.trouble.textContent = "";
    this.overlay.clear();
    this.reset();
    this.relabel();
    this.loading = film ? this.#load(film, isNative, turn) : null;
  }

  async #load(film, isNative, turn = null) {
    const wanted = isNative && film.has_native, native = wanted && this.films.now(film, "native");
    if (native) return turn ? turn.then(() => this.#take(film, native, true)) : this.#take(film, native, true);
    const stored = await this.films.get(film, "stored").catch(() => null);
    if (stored) this.#take(film, stored, false);
    const full = wanted && this.film === film ? await this.films.get(film, "native").catch(() => null) : null;
    if (full) this.#take(film, full, true);
    if (!stored && !full && this.film === film) this.#failed(film, isNative);
  }

  #failed(film, isNative) {
    this.trouble.replaceChildren(
      h("span", { say: () => t("film_away") }), " ",
      h("button", { say: () => t("again"), onclick: () => { this.trouble.textContent = ""; this.#load(film, isNative); } }),
    );
  }

  #take(film, image, isNative) {
    if (this.film !== film) return;
    this.image = image;
    this.isNative = isNative;
    this.#draw("grey", "view");
  }

  // --- views ---

  get size() {
    const [height, width] = this.film.native ?? this.film.stored;
    return { height, width };
  }

  get ratio() { return this.canvas.width / Math.max(this.element.clientWidth, 1); }

  get #shown() {
    const { width, height } = this.size, round = (side) => Math.max(1, Math.round(side * this.scale));
    return { width: round(width), height: round(height) };
  }

  reset() {
    this.grey = { ...AS_MADE };
    this.fit();
    this.#draw("grey");
  }

  fit() {
    this.isFit = true;
    if (!this.film) return this.#draw("grey", "view");
    const { width, height } = this.size;
    this.scale = Math.min(this.canvas.width / width, this.canvas.height / height) || 1;
    const { width: w, height: high } = this.#shown;
    [this.left, this.top] = [Math.round((this.canvas.width - w) / 2), Math.round((this.canvas.height - high) / 2)];
    this.#draw("view");
  }

  /** Zooms by a factor about a point (device pixels; default: the middle), or `to` a scale (device pixels a native one). */
  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2, to = null) {
    if (!this.film) return;
    const { width, height } = this.size, fit = Math.min(this.canvas.width / width, this.canvas.height / height);
    const scale = Math.min(Math.max(to ?? this.scale * factor, Math.min(fit, 1) / 4), Math.max(fit, 1) * MOST_ZOOM);
    this.left = Math.round(x - (x - this.left) * (scale / this.scale));
    this.top = Math.round(y - (y - this.top) * (scale / this.scale));
    this.scale = scale;
    this.isFit = false;
    this.#draw("view");
  }

  oneToOne(x, y) { this.zoom(1, x, y, 1); }

  pan(x, y) {
    if (!this.film) return;
    [this.left, this.top, this.isFit] = [Math.round(this.left + x), Math.round(this.top + y), false];
    this.#draw("view");
  }

  /** Moves the window: `wider` and `darker` as shares of the film's own. */
  window(wider, darker) {
    const { width, shift } = this.grey;
    this.grey = { ...this.grey, width: Math.min(Math.max(width * Math.exp(wider), 0.005), 8) };
    this.grey.shift = Math.min(Math.max(shift + darker * Math.min(this.grey.width, 2), -4), 4);
    this.#draw("grey");
  }

  invert() {
    this.grey = { ...this.grey, inverted: !this.grey.inverted };
    this.#draw("grey");
  }

  // --- drawing ---

  #resized(found) {
    const exact = found.devicePixelContentBoxSize?.[0], { clientWidth, clientHeight } = this.element;
    const whole = (css, device) => (Math.abs(device - css * devicePixelRatio) < 2 ? device : Math.round(css * devicePixelRatio));
    const [width, height] = [whole(clientWidth, exact?.inlineSize), whole(clientHeight, exact?.blockSize)];
    if (!width || !height || (width === this.canvas.width && height === this.canvas.height)) return;
    if (this.film && !this.isFit) [this.left, this.top] = [this.left + Math.round((width - this.canvas.width) / 2), this.top];
    [this.canvas.width, this.canvas.height] = [width, height];
    this.grown = null;
    if (this.isFit) this.fit();
    this.#draw("grey", "view");
    this.#now();
  }

  /** Draws with the next frame what is stale: "grey", "view" or both. */
  #draw(...stale) {
    if (!this.stale.size) this.frame = requestAnimationFrame(() => this.#now());
    for (const what of stale) this.stale.add(what);
  }

  #now() {
    const { stale, canvas, context } = this;
    cancelAnimationFrame(this.frame);
    this.stale = new Set();
    if (!stale.size) return;
    const began = performance.now();
    if (!this.film || !this.image) context.clearRect(0, 0, canvas.width, canvas.height);
    else if (canvas.width && this.element.clientWidth) this.#paint(stale);
    const place = this.film && { ...this.#shown, left: this.left, top: this.top, ratio: this.ratio, native: this.size };
    if (stale.has("view")) this.overlay.place(place);
    this.relabel();
    this.element.dispatchEvent(new CustomEvent("drawn", { detail: { what: [...stale].join(), ms: performance.now() - began, isNative: this.isNative, image: this.film?.image_id } }));
  }

  #paint(stale) {
    const { canvas, context } = this, size = this.#shown;
    const x = Math.max(this.left, 0), y = Math.max(this.top, 0);
    const width = Math.min(this.left + size.width, canvas.width) - x, height = Math.min(this.top + size.height, canvas.height) - y;
    this.grown ??= { values: new Uint16Array(canvas.width * canvas.height), rgba: new ArrayBuffer(canvas.width * canvas.height * 4) };
    if (stale.has("grey")) fillTable(this.words, this.image, this.grey);
    if (stale.has("view")) context.clearRect(0, 0, canvas.width, canvas.height);
    if (width > 0 && height > 0) {
      const part = { x: x - this.left, y: y - this.top, width, height };
      if (stale.has("view")) resample(this.image, size, part, this.grown.values);
      colour(this.grown.values, width * height, this.words, new Uint32Array(this.grown.rgba));
      context.putImageData(new ImageData(new Uint8ClampedArray(this.grown.rgba, 0, width * height * 4), width), x, y);
    }
    this.#noteSeen();
    if (this.isPainted) return;
    this.isPainted = true;
    this.onpaint(this);
  }

  #noteSeen() {
    const { center, width } = windowOf(this.image, this.grey), used = [Math.round(center), Math.round(width)];
    if (this.seen.windows.size < 32) this.seen.windows.set(used.join(), used);
    this.seen.zoom = Math.max(this.seen.zoom, this.scale);
    this.seen.isOneToOne ||= this.isNative && this.scale >= 1;
  }

  relabel() {
    const shown = this.image && windowOf(this.image, this.grey);
    this.caption.textContent = this.film ? this.say() : "";
    this.element.setAttribute("aria-label", this.film ? this.say() : t("no_film"));
    this.readout.textContent = !shown ? "" : [
      `${t("window")} ${number(shown.center)} / ${number(shown.width)}`, `${Math.round(this.scale * 100)} %`,
      this.isNative || !this.film.has_native ? "" : t("stored"),
    ].filter(Boolean).join(" · ");
  }

  // --- gestures: drag = window, wheel = zoom, other buttons = pan; one finger = window, two = zoom and pan ---

  #at(event) {
    const box = this.element.getBoundingClientRect();
    return [(event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio];
  }

  #gestures() {
    const lost = (event) => this.#up(event, false);
    return {
      contextmenu: (event) => event.preventDefault(),
      wheel: (event) => this.#wheel(event),
      pointerdown: (event) => this.#down(event),
      pointermove: (event) => this.#move(event),
      pointerup: (event) => this.#up(event, true),
      pointercancel: lost,
      lostpointercapture: lost,
      keydown: (event) => this.#key(event),
    };
  }

  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 32 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * ZOOM_PER_PX), ...this.#at(event));
  }

  #down(event) {
    if (!this.film) return;
    event.preventDefault();
    this.element.focus({ preventScroll: true, focusVisible: false });
    this.element.setPointerCapture(event.pointerId);
    const [x, y] = this.#at(event), isPan = event.pointerType !== "touch" && event.button !== 0;
    this.pointers.set(event.pointerId, { x, y, isPan, from: [x, y], at: event.timeStamp, isBox: this.isBoxing && !isPan });
    if (this.pointers.size > 1) for (const pointer of this.pointers.values()) pointer.isBox = !(pointer.wasTwo = true);
  }

  #move(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return;
    const [x, y] = this.#at(event), [dx, dy] = [x - pointer.x, y - pointer.y];
    if (this.pointers.size === 2) this.#pinch(pointer, x, y);
    else if (pointer.isBox) this.overlay.sketch(this.#boxOf(pointer.from, [x, y]));
    else if (pointer.isPan) this.pan(dx, dy);
    else if (!pointer.wasTwo) this.window((dx / this.ratio) * WINDOW_PER_PX, (dy / this.ratio) * WINDOW_PER_PX);
    [pointer.x, pointer.y] = [x, y];
  }

  #pinch(pointer, x, y) {
    const other = [...this.pointers.values()].find((one) => one !== pointer);
    const apart = (px, py) => Math.max(Math.hypot(px - other.x, py - other.y), 8);
    this.zoom(apart(x, y) / apart(pointer.x, pointer.y), (x + other.x) / 2, (y + other.y) / 2);
    this.pan((x - pointer.x) / 2, (y - pointer.y) / 2);
  }

  #up(event, isDone) {
    const pointer = this.pointers.get(event.pointerId);
    if (!pointer) return;
    this.pointers.delete(event.pointerId);
    const [x, y] = [pointer.x, pointer.y], moved = Math.hypot(x - pointer.from[0], y - pointer.from[1]) / this.ratio;
    if (pointer.isBox) this.#boxed(isDone && moved > 4 ? this.#boxOf(pointer.from, [x, y]) : null);
    else if (isDone && event.pointerType === "touch" && !pointer.wasTwo && moved < 8) this.#tap(event.timeStamp, x, y);
  }

  #tap(time, x, y) {
    const last = this.tapped;
    this.tapped = { time, x, y };
    if (!last || time - last.time > TAP_MS || Math.hypot(x - last.x, y - last.y) > TAP_PX * this.ratio) return;
    this.tapped = null;
    if (this.scale === 1) this.fit();
    else this.oneToOne(x, y);
  }

  #boxOf([ax, ay], [bx, by]) {
    const { width, height } = this.size, shown = this.#shown;
    const over = (at, from, most, whole) => Math.min(Math.max((at - from) / most, 0), 1) * whole;
    const xs = [ax, bx].map((x) => over(x, this.left, shown.width, width)).sort((a, b) => a - b);
    const ys = [ay, by].map((y) => over(y, this.top, shown.height, height)).sort((a, b) => a - b);
    return { x: xs[0], y: ys[0], width: xs[1] - xs[0], height: ys[1] - ys[0] };
  }

  #boxed(box) {
    this.overlay.sketch(null);
    if (box && box.width > 1 && box.height > 1) this.onbox(this, box);
  }

  #key(event) {
    const step = 40 * this.ratio, [x, y] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if ((!x && !y) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.shiftKey) this.window(-x * 0.1, -y * 0.1);
    else this.pan(x * step, y * step);
  }

  /** Lets go of everything: a pane that is gone costs nothing. */
  close() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.film = this.image = this.grown = null;
  }
}
