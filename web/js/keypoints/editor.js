// The picture on which points are dragged, with its buttons. Does nothing when loaded alone.
//
// Whatever takes the focus is an <input>: the host undoes the graph on Ctrl+Z anywhere else, and hears of
// the key before this file does.

import { make, sheet } from "../element.js";
import { say } from "../words.js";
import { draw, place } from "./draw.js";
import { Points } from "./points.js";
import { bounds, distance } from "./text.js";

const NAMES = [
  ...[say("eye at the left"), say("eye at the right"), say("nose")],
  ...[say("mouth at the left"), say("mouth at the right")],
];
const KEYS = say(
  "Arrow keys move the chosen point (with Shift by 10 pixels), 1 to 5 choose it, Page Up and Page Down choose " +
    "the face, Delete removes the face, Ctrl+Z takes a step back.",
);
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Its name, text, what it does, how, when it can be used, and whether also while a link sets the text. */
const ACTIONS = [
  ["Undo", say("Undo"), say("Take back the last edit of the points (Ctrl+Z)"),
    (e) => e.points.step(-1), (p) => p.at > 0],
  ["Redo", say("Redo"), say("Do it again (Ctrl+Y)"),
    (e) => e.points.step(1), (p) => p.at < p.history.length - 1],
  ["Mirror", say("Mirror"), say("Mirror the chosen face, left to right"),
    (e) => e.points.mirror(), (p) => p.face],
  ["Snap", say("Snap"), say("Put the chosen face where it was found"),
    (e) => e.points.snap(), (p) => p.face && p.page.found.length],
  ["Add", say("Add"), say("Add a face in the middle of the picture"),
    (e) => e.points.add(), (p) => !p.error],
  ["Remove", say("Remove"), say("Remove the chosen face"),
    (e) => e.points.drop(), (p) => p.face],
  ["Reset", say("Reset"), say("Empty the text: every face as it was found"),
    (e) => e.points.edit(""), (p) => p.text],
  ["Copy", say("Copy"), say("Copy the points as JSON"),
    (e) => e.copy(), (p) => !p.error, true],
  ["Zoom", say("Zoom"), say("Show the chosen face large, or the whole picture"),
    (e) => e.zoom(), (p, e) => p.face || e.part, true],
  ["< Picture", say("< Picture"), say("Previous picture"),
    (e) => e.turn(-1), (p) => p.index > 0, true],
  ["Picture >", say("Picture >"), say("Next picture"),
    (e) => e.turn(1), (p) => p.index < p.pages.length - 1, true],
];

export class KeypointEditor {
  addresses = []; // of the pictures
  images = []; // those that were shown
  drag = null;
  part = null; // what is shown of the picture: {x, y, width, height}; null for all

  /** host: see Points. */
  constructor(host) {
    this.buttons = ACTIONS.map(([, value, title, act]) =>
      make("input", { type: "button", value, title, ariaLabel: title, onclick: () => act(this) }));
    const name = say("Keypoints");
    const bar = make("div", { className: "likeness-keypoints-bar", role: "toolbar", ariaLabel: name }, ...this.buttons);
    this.canvas = make("canvas", { ariaHidden: "true" });
    const room = make("div", { className: "likeness-keypoints-room" }, this.canvas);
    this.status = make("input", { readOnly: true, inputMode: "none", title: KEYS, ariaLabel: say("Chosen point") });
    const style = sheet("./editor.css", import.meta.url);
    this.element = make("div", { className: "likeness-keypoints" }, style, bar, room, this.status);
    this.points = new Points(host, () => this.show());
    this.observer = new ResizeObserver(() => this.show());
    this.observer.observe(room);
    this.listen(bar, room);
  }

  listen(bar, room) {
    for (const part of [bar, room]) {
      // The mouse leaves the focus with the status line, which the keys belong to.
      part.onmousedown = (event) => event.preventDefault();
      part.onclick = (event) => event.detail && this.status.focus({ preventScroll: true });
    }
    this.canvas.onpointerdown = (event) => this.grab(event);
    this.canvas.onpointermove = (event) => this.move(event);
    this.canvas.onpointerup = this.canvas.onpointercancel = () => this.release();
    this.canvas.onpointerenter = () => this.show();
    this.element.onkeydown = (event) => this.key(event);
    this.status.onkeyup = this.status.onblur = () => this.points.commit();
  }

  /** A run has ended: the addresses of its pictures, and page_data() of the server. */
  ran(addresses, pages) {
    const old = this.points.page;
    this.points.pages = pages;
    this.points.index = Math.min(this.points.index, Math.max(0, pages.length - 1));
    if (this.points.page.width !== old.width || this.points.page.height !== old.height) this.part = null;
    Object.assign(this, { addresses, images: [] });
    this.show();
  }

  /** The picture that is shown, once it is there. The others of a batch are not loaded. */
  get image() {
    const { index } = this.points, src = this.addresses[index];
    if (src) this.images[index] ??= make("img", { src, onload: () => this.show() });
    const image = this.images[index];
    return image?.complete && image.naturalWidth ? image : null;
  }

  turn(by) {
    this.points.index += by;
    this.points.chosen = { face: 0, point: 2 };
    this.part = null;
    this.show();
  }

  zoom() {
    const { left, top, right, bottom, middle } = bounds(this.points.face?.points ?? [[0, 0]]);
    const side = 3 * Math.max(right - left, bottom - top, 8);
    this.part = this.part ? null : { x: middle[0] - side / 2, y: middle[1] - side / 2, width: side, height: side };
    this.show();
  }

  async copy() {
    const text = this.points.whole();
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Over plain http from another machine a page has no clipboard of its own.
      const area = make("textarea", { value: text });
      this.element.append(area);
      area.select();
      copied = document.execCommand("copy");
      area.remove();
      this.status.focus({ preventScroll: true });
    }
    const refused = say("The browser refused: connect the output keypoints to Preview as Text.");
    this.tell(copied ? say("Copied.") : refused, !copied);
  }

  /** Where an event happened, in pixels of the picture, and how many of those are one of the page's. */
  spot(event) {
    const box = this.canvas.getBoundingClientRect(), { clientWidth, clientHeight } = this.canvas;
    const view = place(clientWidth, clientHeight, this.part ?? this.points.page);
    const x = ((event.clientX - box.left) / box.width) * clientWidth - view.left;
    const y = ((event.clientY - box.top) / box.height) * clientHeight - view.top;
    return { at: [x / view.scale, y / view.scale], pixel: 1 / view.scale };
  }

  /** What an event would drag: {face, point}, point -1 for the whole face around it; or nothing. */
  under(event) {
    const { faces, chosen, host } = this.points, { at, pixel } = this.spot(event);
    if (host.locked()) return null;
    const reach = (event.pointerType === "touch" ? 24 : 12) * pixel;
    const hits = faces.flatMap(({ points }, face) =>
      points.map((p, point) => ({ face, point, far: distance(p, at) - (face === chosen.face ? pixel : 0) })));
    const hit = hits.filter(({ far }) => far < reach).sort((a, b) => a.far - b.far)[0];
    const around = faces.findIndex(({ points }) => {
      const { left, top, right, bottom } = bounds(points);
      return left < at[0] && at[0] < right && top < at[1] && at[1] < bottom;
    });
    return hit ?? (around < 0 ? null : { face: around, point: -1 });
  }

  grab(event) {
    const hit = event.isPrimary && event.button === 0 && this.under(event);
    if (!hit) return;
    const { chosen } = this.points;
    this.points.chosen = { face: hit.face, point: hit.point < 0 ? chosen.point : hit.point };
    this.drag = { point: hit.point, from: this.spot(event).at, points: this.points.face.points };
    this.canvas.setPointerCapture(event.pointerId);
    this.show();
  }

  move(event) {
    if (this.drag) {
      const { at } = this.spot(event), { from, points, point } = this.drag;
      this.points.shift(points, point, [at[0] - from[0], at[1] - from[1]]);
    } else {
      const hit = this.under(event);
      this.canvas.style.cursor = !hit ? "default" : hit.point < 0 ? "move" : "grab";
    }
  }

  release() {
    if (this.drag) this.points.commit();
    this.drag = null;
  }

  key(event) {
    const { points } = this, { key, shiftKey } = event;
    if (event.ctrlKey || event.metaKey) {
      const by = { z: shiftKey ? 1 : -1, y: 1 }[key.toLowerCase()];
      if (!by) return;
      if (!points.host.locked()) points.step(by);
    } else if (event.target !== this.status || !points.face || points.host.locked()) {
      return;
    } else if (key in ARROWS) {
      points.shift(points.face.points, points.chosen.point, ARROWS[key].map((d) => d * (shiftKey ? 10 : 1)));
    } else if (/^[1-5]$/.test(key)) {
      points.chosen.point = Number(key) - 1;
    } else if (key === "PageUp" || key === "PageDown") {
      const count = points.faces.length;
      points.chosen.face = (points.chosen.face + (key === "PageUp" ? count - 1 : 1)) % count;
    } else if (key === "Delete") {
      points.drop();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.show();
  }

  tell(text, wrong = false) {
    this.status.value = text;
    this.status.className = `likeness-keypoints-status${wrong ? " wrong" : ""}`;
  }

  describe() {
    const { points } = this, { face, chosen, page } = points;
    const picture = points.pages.length > 1 ? `${say("picture {number}", { number: page.picture })}, ` : "";
    if (points.host.locked()) return picture + say("the text comes over a link");
    if (!face) return picture + say("no face here, add one");
    const where = face.points[chosen.point].map((v) => v.toFixed(1)).join(", ");
    const which = say("face {number}", { number: chosen.face });
    return `${picture}${which}, ${chosen.point + 1} ${NAMES[chosen.point]}: ${where}`;
  }

  show() {
    const { points, part } = this, { pages, chosen, faces, page } = points;
    chosen.face = Math.max(0, Math.min(chosen.face, faces.length - 1));
    this.buttons.forEach((button, i) => {
      const [name, , , , usable, always] = ACTIONS[i];
      button.disabled = !usable(points, this) || (!always && points.host.locked());
      button.hidden = pages.length < 2 && name.includes("Picture");
      if (name === "Zoom") button.ariaPressed = String(Boolean(part));
    });
    this.tell(points.error || this.describe(), Boolean(points.error));
    const hint = pages.length ? "" : say("Run this node to see the picture and the points found in it");
    draw(this.canvas, { page, part, image: this.image, faces, chosen, hint });
  }

  remove() {
    this.observer.disconnect();
  }
}
