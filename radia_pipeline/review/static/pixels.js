// Grey values to what a screen shows: a table over 16 bits, an area mean down and a line up. Pure: no element, no network.
// Values are uint16 (H × W), bright means dense; a view is a window into the picture resized to whole pixels, so that the
// stored image and the native one that takes its place lie on the same pixels, and 1:1 is the native values untouched.

export const FULL = 65535;
export const WHOLE = Object.freeze({ center: FULL / 2, width: FULL });
export const AS_MADE = Object.freeze({ shift: 0, width: 1, inverted: false });

/**
 * Fills a Uint32Array of 65,536 opaque greys (0xAABBGGRR). `image`: its own table and window (api.js); `grey`: what the
 * reader made of that window: {shift, width} as shares of its width, shift towards dark, and {inverted}.
 */
export function fillTable(words, image, { shift, width, inverted }) {
  const { table, window, slopes, blank = -1, first = 0 } = image, last = (table?.length ?? FULL + 1) - 1, turn = inverted ? 255 : 0;
  const center = window.center + shift * window.width * (image.isFalling ? -1 : 1);
  for (let value = 0; value <= FULL; value++) {
    const wished = (value - first - center) / width + window.center;
    const at = wished > last ? last : wished > 0 ? wished : 0, left = at | 0;
    const known = table ? table[left] + (at - left) * (table[left < last ? left + 1 : last] - table[left]) : at;
    const shown = known + (wished - at) * (wished < at ? slopes[0] : slopes[1]); // beyond the table it goes on as it ended
    const grey = value === blank ? 0 : Math.abs(turn - (shown <= 0 ? 0 : shown >= FULL ? 255 : (shown / 257 + 0.5) | 0));
    words[value] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
  }
  return words;
}

/** Whether larger values are darker, as in MONOCHROME1; told by halves, since padding is black at either end. */
export function isFallingTable(table) {
  const half = table.length >> 1, sum = (part) => part.reduce((all, one) => all + one, 0);
  return sum(table.subarray(0, half)) > sum(table.subarray(half));
}

/** The reader's window in the units of a film's values: {center, width}, for the readout. */
export function windowOf(image, grey) {
  const { window, units } = image, [slope, intercept] = units ?? [1, 0];
  const center = window.center + grey.shift * window.width * (image.isFalling ? -1 : 1);
  return { center: center * slope + intercept, width: Math.abs(window.width * grey.width * slope) };
}

/**
 * Gives padding (a closed range of values) a value of its own, which is black in every window and lies beside the dark end,
 * so that the mean of it and of tissue is no bright line along the collimator.
 */
export function withoutFringe(image, padding) {
  if (!padding || !image.table || image.table.length > FULL) return image;
  const { values, table } = image, isLow = !image.isFalling, move = isLow ? 1 : 0;
  Object.assign(image, { blank: isLow ? 0 : table.length, first: move });
  for (let i = 0; i < values.length; i++) {
    values[i] = values[i] >= padding[0] && values[i] <= padding[1] ? image.blank : values[i] + move;
  }
  return image;
}

/** The pixels that make up target pixels `first` … `first + count - 1` of `target`, and their weights. */
function taps(size, target, first, count) {
  const step = size / target, isMean = target < size, most = isMean ? Math.ceil(step) + 1 : 2;
  const start = new Int32Array(count), weights = new Float32Array(count * most);
  for (let i = 0; i < count; i++) {
    if (isMean) {
      const from = (first + i) * step, to = Math.min(from + step, size), left = Math.min(Math.floor(from), size - 1);
      start[i] = left;
      for (let k = 0; k < most; k++) {
        const shared = Math.min(to, left + k + 1) - Math.max(from, left + k);
        weights[i * most + k] = left + k < size && shared > 0 ? shared / (to - from) : 0;
      }
    } else {
      const at = Math.min(Math.max((first + i + 0.5) * step - 0.5, 0), size - 1), left = Math.min(Math.floor(at), size - 1);
      start[i] = left;
      weights[i * most] = left + 1 < size ? 1 - (at - left) : 1;
      weights[i * most + 1] = left + 1 < size ? at - left : 0;
    }
  }
  return { start, weights, most };
}

/**
 * Writes a window of a picture as it is at another size: `part` = {x, y, width, height} of the picture (`size` =
 * {width, height}) made from `image` = {values, width, height}. Each pixel smaller than before is the mean of those under
 * it, fractions included; each larger one lies on the line between its neighbours. `out`: Uint16Array, row by row.
 */
export function resample(image, size, part, out) {
  const { values, width } = image;
  const down = taps(image.height, size.height, part.y, part.height), across = taps(width, size.width, part.x, part.width);
  const first = across.start[0], last = Math.min(across.start[part.width - 1] + across.most, width);
  const row = new Float32Array(last - first + across.most);
  for (let y = 0, at = 0; y < part.height; y++) {
    addRows(row, values, width, first, last, down, y);
    for (let x = 0, tap = 0; x < part.width; x++, tap += across.most) {
      const from = across.start[x] - first;
      let sum = 0.5;
      for (let k = 0; k < across.most; k++) sum += across.weights[tap + k] * row[from + k];
      out[at++] = sum;
    }
  }
}

function addRows(row, values, width, first, last, down, y) {
  const count = last - first;
  row.fill(0);
  for (let k = 0; k < down.most; k++) {
    const weight = down.weights[y * down.most + k];
    if (weight === 0) continue;
    const from = (down.start[y] + k) * width + first;
    for (let x = 0; x < count; x++) row[x] += weight * values[from + x];
  }
}

/** Looks `count` values up in a table: what a window's change costs. */
export function colour(values, count, table, words) {
  for (let i = 0; i < count; i++) words[i] = table[values[i]];
}

/** Lines at a level of a map (uint8, H × W), as an SVG path in units of its cells' centres. */
export function contour(map, width, height, level) {
  const at = (x, y) => (x < 0 || y < 0 || x >= width || y >= height ? 0 : map[y * width + x]);
  const between = (a, b) => (level - a) / (b - a);
  let path = "";
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      const a = at(x, y), b = at(x + 1, y), c = at(x + 1, y + 1), d = at(x, y + 1), cut = [];
      if (a >= level !== b >= level) cut.push([x + between(a, b), y]);
      if (b >= level !== c >= level) cut.push([x + 1, y + between(b, c)]);
      if (d >= level !== c >= level) cut.push([x + between(d, c), y + 1]);
      if (a >= level !== d >= level) cut.push([x, y + between(a, d)]);
      for (let k = 0; k + 1 < cut.length; k += 2) {
        path += `M${cut[k].map(short).join(" ")}L${cut[k + 1].map(short).join(" ")}`;
      }
    }
  }
  return path;
}

const short = (value) => value.toFixed(2);
