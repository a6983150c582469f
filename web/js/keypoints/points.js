// The points of the pictures, and what can be done to them. Does nothing when loaded alone.

import { bounds, distance, facesOf, format, parse, withFaces } from "./text.js";

const HISTORY = 100;
/** An upright face, in parts of its size, around its middle. */
const NEW = [[-0.22, -0.18], [0.22, -0.18], [0, 0.07], [-0.18, 0.32], [0.18, 0.32]];

export class Points {
  pages = []; // page_data() of the server's last run, a page for each picture
  index = 0; // of the page that is shown
  chosen = { face: 0, point: 2 };

  /**
   * host.write(text) sets the widget; host.changed() hears of each finished edit; host.size() is the empty
   * picture's [width, height]; host.locked() is true while a link sets the text. shown() draws.
   */
  constructor(host, shown) {
    Object.assign(this, { host, shown });
    this.load("");
  }

  get page() {
    const [width, height] = this.host.size();
    return this.pages[this.index] ?? { picture: 0, width, height, found: [], placed: [] };
  }

  get first() {
    return this.pages[0]?.picture ?? 0;
  }

  get faces() {
    const { picture, found, placed } = this.page;
    if (this.host.locked()) return placed.map((points) => ({ points }));
    return this.error ? [] : facesOf(this.entries, picture, this.first, found);
  }

  get face() {
    return this.faces[this.chosen.face];
  }

  /** The text of a workflow that was opened. */
  load(text) {
    this.read(text);
    Object.assign(this, { history: [text], at: 0, typed: false });
  }

  /** The text was changed from outside: typed, most often. A row of such changes is one step. */
  receive(text) {
    if (text === this.text) return;
    this.read(text);
    this.remember(this.typed);
    this.typed = true;
  }

  read(text) {
    Object.assign(this, { text, entries: [], error: "" });
    try {
      this.entries = parse(text);
    } catch (error) {
      this.error = `keypoints: ${error.message}`;
    }
  }

  /** Sets the text, as a part of an edit that commit() ends. */
  write(text) {
    this.read(text);
    this.host.write(text);
    this.shown();
  }

  remember(replace) {
    this.history.splice(replace ? this.at : this.at + 1, Infinity, this.text);
    this.history = this.history.slice(-HISTORY);
    this.at = this.history.length - 1;
  }

  commit() {
    if (this.text === this.history[this.at]) return;
    this.remember(false);
    this.typed = false;
    this.shown();
    this.host.changed();
  }

  edit(text) {
    this.write(text);
    this.commit();
  }

  /** Back (-1) or forth (1) in the history. */
  step(by) {
    if (!(this.at + by in this.history)) return;
    this.at += by;
    this.typed = false;
    this.write(this.history[this.at]);
    this.host.changed();
  }

  textWith(faces) {
    const { picture, found } = this.page;
    return format(withFaces(this.entries, picture, this.first, found, faces));
  }

  /** The text in which the chosen face is changed so. */
  textOf(change) {
    return this.textWith(this.faces.map((face, i) => (i === this.chosen.face ? { ...face, ...change } : face)));
  }

  /** Moves a point of the chosen face from where it was in `points`, or all (-1); it stays in the picture. */
  shift(points, point, by) {
    const anchor = point < 0 ? bounds(points).middle : points[point], ends = [this.page.width, this.page.height];
    const step = by.map((d, j) => Math.min(Math.max(anchor[j] + d, 0), ends[j]) - anchor[j]);
    const moved = points.map((p, i) => (point < 0 || i === point ? [p[0] + step[0], p[1] + step[1]] : p));
    this.write(this.textOf({ points: moved }));
  }

  /** Left and right swapped in place; the eye at the left of the picture stays the first point. */
  mirror() {
    const { points } = this.face, { left, right } = bounds(points);
    this.edit(this.textOf({ points: [1, 0, 2, 4, 3].map((i) => [left + right - points[i][0], points[i][1]]) }));
  }

  /** Back to where the face was found; a new face goes to the nearest that was. */
  snap() {
    const { found } = this.page, far = (i) => distance(bounds(found[i]).middle, bounds(this.face.points).middle);
    const nearest = [...found.keys()].sort((a, b) => far(a) - far(b))[0];
    const face = this.face.face in found ? this.face.face : nearest;
    this.edit(this.textOf({ face, points: found[face] }));
  }

  add() {
    const { width, height } = this.page, size = Math.min(width, height) / 2;
    const points = NEW.map(([x, y]) => [width / 2 + x * size, height / 2 + y * size]);
    this.chosen = { face: this.faces.length, point: 2 };
    this.edit(this.textWith([...this.faces, { points }]));
  }

  drop() {
    this.edit(this.textWith(this.faces.filter((_, i) => i !== this.chosen.face)));
  }

  /** The text, or what an empty one stands for; what came out of one that a link sets. */
  whole() {
    if (this.host.locked()) return format(this.pages.flatMap((page) => this.placedOn(page))) || "[]";
    const all = this.pages.flatMap(({ picture, found }) =>
      found.map((points, face) => ({ points, face, picture: this.named(picture) })));
    return this.text || format(all) || "[]";
  }

  /** Entries for all that is placed on a page, also when that is no face. */
  placedOn({ picture, placed }) {
    return (placed.length ? placed : [[]]).map((points) => ({ points, picture: this.named(picture) }));
  }

  /** How the text names a picture: the first one not at all. */
  named(picture) {
    return picture === this.first ? undefined : picture;
  }
}
