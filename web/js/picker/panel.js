// A picture with a button over each face. Does nothing when loaded alone.

import { make } from "../element.js";
import { say } from "../words.js";
import { asText, placesOf } from "./places.js";

export class FacePicker {
  order = "index list"; // the order in which the places are counted that this writes
  pages = []; // page_data() of the server's last run
  addresses = [];
  index = 0; // of the picture that is shown

  /** host: read() of {by, indices}, write(indices), locked() while a link sets one of them. */
  constructor(host) {
    this.host = host;
    this.frame = make("div", { className: "likeness-picker-frame" });
    this.back = make("input", { type: "button", value: "<", title: say("Previous picture") });
    this.next = make("input", { type: "button", value: ">", title: say("Next picture") });
    this.back.onclick = () => this.turn(-1);
    this.next.onclick = () => this.turn(1);
    this.status = make("span", { className: "likeness-picker-status", role: "status" });
    const bar = make("div", { className: "likeness-picker-bar" }, this.back, this.status, this.next);
    this.element = make("div", { className: "likeness-picker" }, this.frame, bar);
  }

  ran(pages, addresses) {
    Object.assign(this, { pages, addresses, made: "" });
    this.index = Math.min(this.index, Math.max(0, pages.length - 1));
  }

  turn(by) {
    this.index += by;
    this.show();
  }

  /** Which places are chosen: what the widgets say, else what the last run chose. */
  get chosen() {
    const { by, indices } = this.host.read(), { faces } = this.pages[this.index];
    const counting = faces.filter(({ place }) => place >= 0).length;
    if (by === this.order) return placesOf(indices, counting);
    return faces.filter(({ chosen }) => chosen).map(({ place }) => place);
  }

  /** Alone, or, with a key held, beside the others. */
  click(place, more) {
    const others = this.chosen.filter((one) => one !== place), had = others.length < this.chosen.length;
    const places = !more ? [place] : had && others.length ? others : [...others, place];
    this.host.write(asText(places));
    this.show();
  }

  show() {
    const page = this.pages[this.index];
    this.back.hidden = this.next.hidden = this.pages.length < 2;
    this.back.disabled = this.index < 1;
    this.next.disabled = this.index > this.pages.length - 2;
    if (!page) {
      this.frame.replaceChildren();
      this.status.textContent = say("Run the graph once to see the faces");
      return;
    }
    const locked = this.host.locked(), chosen = this.chosen;
    if (this.made !== this.addresses[this.index]) this.frame.replaceChildren(this.picture(page));
    this.made = this.addresses[this.index];
    [...this.frame.querySelectorAll("input")].forEach((button, i) => {
      const { place } = page.faces[i];
      button.disabled = locked || place < 0;
      button.ariaPressed = String(chosen.includes(place) && place >= 0);
    });
    this.status.textContent = this.told(page, chosen, locked);
  }

  told(page, chosen, locked) {
    const picture = this.pages.length > 1 ? `${say("picture {number}", { number: page.picture })}: ` : "";
    if (locked) return picture + say("the text comes over a link");
    if (!page.faces.length) return picture + say("no face here");
    return picture + say("chosen {places}. Shift adds one.", { places: asText(chosen) || "-" });
  }

  picture({ width, height, faces }) {
    const picture = make("div", { className: "likeness-picker-picture" });
    picture.style.aspectRatio = `${width} / ${height}`;
    // As large as its room in both directions: the longer side decides.
    picture.style[width >= height ? "width" : "height"] = "100%";
    picture.append(make("img", { src: this.addresses[this.index], draggable: false, alt: "" }));
    faces.forEach(({ box: [x1, y1, x2, y2], place }) => {
      const out = place < 0, value = out ? "" : String(place);
      const not = say("This face does not count: see reference and mask");
      const title = out ? not : say("face {number}", { number: place });
      const button = make("input", { type: "button", value, title, ariaLabel: title });
      button.onclick = (event) => this.click(place, event.shiftKey || event.ctrlKey || event.metaKey);
      const sides = { left: x1, top: y1, width: x2 - x1, height: y2 - y1 };
      for (const [side, part] of Object.entries(sides)) button.style[side] = `${100 * part}%`;
      picture.append(button);
    });
    return picture;
  }
}
