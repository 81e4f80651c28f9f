// What lies over a film: boxes with names, where a model looked (one hue, a contour at half of its peak), a box being drawn.
// What does not belong here: which of them is shown when (viewer.js, reading.js).

import { h, put, s } from "./dom.js";
import { contour } from "./pixels.js";

const HUE = [255, 176, 32], MOST_ALPHA = 150, FLOOR = 40, HALF = 127.5, TAG_PX = 18;

/** A box of an answer as it is drawn. */
export const drawn = ({ x_px: x, y_px: y, width_px: width, height_px: height }) => ({ x, y, width, height });

export class Overlay {
  constructor() {
    this.map = h("canvas", { class: "map", hidden: true });
    this.lines = s("g");
    this.tags = h("div", { class: "tags" });
    this.element = h("div", { class: "overlay", "aria-hidden": "true" }, this.map, s("svg", {}, this.lines), this.tags);
    this.clear();
  }

  clear() {
    Object.assign(this, { boxes: [], sketched: null, seen: null, at: null });
    this.map.hidden = true;
    put(this.lines);
    put(this.tags);
  }

  /** `at`: {left, top, width, height} of the film in device pixels, their `ratio` to CSS pixels, and its `native` size. */
  place(at) {
    this.at = at;
    this.#redraw();
  }

  /** Boxes {x, y, width, height, tag, kind} in native pixels. */
  setBoxes(boxes) {
    this.boxes = boxes;
    this.#redraw();
  }

  sketch(box) {
    this.sketched = box;
    this.#redraw();
  }

  /** A map {values (uint8), width, height, outline} over the whole film, null for none; `outline`: shares of its sides. */
  setMap(map) {
    this.seen = map && { ...map, half: contour(map.values, map.width, map.height, HALF) };
    this.map.hidden = !map;
    if (map) this.#paint(map);
    this.#redraw();
  }

  #paint({ values, width, height }) {
    Object.assign(this.map, { width, height });
    const picture = new ImageData(width, height);
    values.forEach((value, i) => {
      picture.data.set(HUE, 4 * i);
      picture.data[4 * i + 3] = value <= FLOOR ? 0 : ((value - FLOOR) / (255 - FLOOR)) * MOST_ALPHA;
    });
    this.map.getContext("2d").putImageData(picture, 0, 0);
  }

  #redraw() {
    if (!this.at) return put(this.lines) && put(this.tags);
    const { left, top, width, height, ratio, native } = this.at, css = (value) => value / ratio;
    for (const [side, value] of Object.entries({ left, top, width, height })) this.map.style[side] = `${css(value)}px`;
    const unit = css(width) / native.width, boxes = this.sketched ? [...this.boxes, { ...this.sketched, kind: "sketch" }] : this.boxes;
    const of = (box) => ({ x: css(left) + box.x * unit, y: css(top) + box.y * unit, width: box.width * unit, height: box.height * unit });
    put(this.lines, ...this.#mapLines(), ...boxes.map((box) => s("rect", { class: `box ${box.kind ?? ""}`, ...of(box) })));
    const taken = [];
    put(this.tags, ...boxes.filter((box) => box.tag).map((box) => this.#tag(box, of(box), taken)));
    return this;
  }

  /** A box's name above its corner, below the names that are `taken` there: [x, y, width]. */
  #tag({ tag, kind = "" }, { x, y }, taken) {
    const { clientWidth, clientHeight } = this.element, width = 8 * tag().length;
    const left = Math.min(Math.max(x, 0), Math.max(clientWidth - width, 0));
    const isFree = (top) => !taken.some(([at, high, wide]) => Math.abs(high - top) < TAG_PX && left < at + wide && at < left + width);
    let top = Math.min(Math.max(y - TAG_PX, 20), clientHeight - TAG_PX);
    while (!isFree(top) && top < clientHeight) top += TAG_PX;
    taken.push([left, top, width]);
    return h("span", { class: `tag ${kind}`, style: { left: `${left}px`, top: `${top}px` }, say: tag });
  }

  #mapLines() {
    if (!this.seen) return [];
    const { left, top, width, height, ratio } = this.at, { half, outline = [] } = this.seen;
    const wide = width / ratio / this.seen.width, high = height / ratio / this.seen.height;
    const move = `translate(${left / ratio + wide / 2} ${top / ratio + high / 2}) scale(${wide} ${high})`;
    const chest = outline.map(([x, y]) => `${(left + x * width) / ratio},${(top + y * height) / ratio}`).join(" ");
    return [s("path", { class: "half", d: half, transform: move }), outline.length ? s("polygon", { class: "chest", points: chest }) : null].filter(Boolean);
  }
}
