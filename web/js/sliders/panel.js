// The sliders of Prompt with Attributes and Edit W+: a row for each edit, and one to add another. Does nothing
// when loaded alone.

import { make, sheet } from "../element.js";
import { say } from "../words.js";
import { LARGEST, SIGNS, STEP, UNKNOWN, readEdits, withEdit, withScale, without, written } from "./edits.js";

const ROW = 46, BELOW = 62; // pixels of a slider, and of what stands below them all

export class SliderPanel {
  made = ""; // what the rows were made for
  rows = []; // by line: {show(scale)}

  /** host: read() and write(text) of the edits, changed() after a whole edit, attributes() connected, locked()
   * while a link sets the text, grown() when there are more rows. words: what the node calls its things:
   * `subject`, what a new line begins with, `whose` and `whoseTitle`, `what` and `whatTitle`, `connect`. */
  constructor(host, words) {
    Object.assign(this, { host, words });
    this.list = make("div", { className: "likeness-sliders-list", role: "list" });
    this.subject = make("input", { type: "text", value: words.subject, title: words.whoseTitle });
    this.subject.ariaLabel = words.whose;
    this.choice = make("select", { title: words.whatTitle, ariaLabel: words.what });
    this.button = make("input", { type: "button", value: say("Add"), title: say("Add a slider") });
    this.button.onclick = () => this.add();
    const more = make("div", { className: "likeness-sliders-add" }, this.subject, this.choice, this.button);
    this.status = make("div", { className: "likeness-sliders-status", role: "status" });
    const style = sheet("./panel.css", import.meta.url);
    this.element = make("div", { className: "likeness-sliders" }, style, this.list, more, this.status);
    this.element.onpointerenter = () => this.show(); // an attribute may have been chosen anew
  }

  get height() {
    return this.rows.length * ROW + BELOW;
  }

  /** Shows the text as it is now. Rows are made anew only when there are others: one may be held. */
  show() {
    const { host } = this, connected = host.attributes(), locked = host.locked();
    const entries = readEdits(host.read());
    const lines = entries.map(({ at, line, edit }) => [at, edit ? [edit.subject, edit.name] : line]);
    const state = JSON.stringify([locked, connected, lines]);
    if (state !== this.made) {
      this.made = state;
      const before = this.rows.length;
      this.rows = entries.map((entry) => this.row(entry, connected, locked));
      this.list.replaceChildren(...this.rows.map(({ element }) => element));
      this.offer(connected, locked);
      this.element.style.minHeight = `${this.height}px`;
      if (this.rows.length !== before) host.grown();
    }
    entries.forEach(({ edit }, i) => edit && this.rows[i].show(edit.scale));
    this.say(entries, connected, locked);
  }

  row({ at, line, edit }, connected, locked) {
    const remove = make("input", { type: "button", value: "×", title: say("Remove this line"), disabled: locked });
    remove.ariaLabel = say("Remove: {what}", { what: line });
    remove.onclick = () => this.write(without(this.host.read(), at), true);
    if (!edit) {
      const label = make("span", { className: "likeness-sliders-label wrong", title: line }, say("No edit: {what}", { what: line }));
      return { element: this.line(label, remove), show: () => {} };
    }
    const meant = this.meant(edit.name, connected), name = meant?.name || edit.name;
    const [less, more] = SIGNS[name] ?? ["− ?", "+ ?"];
    const sign = SIGNS[name] ? say("negative {less}, positive {more}", { less, more }) : UNKNOWN;
    const title = meant ? `${edit.subject}: ${name}; ${sign}` : say("{what} is not connected", { what: edit.name });
    const label = make("span", { className: `likeness-sliders-label${meant ? "" : " wrong"}`, title });
    label.append(`${edit.subject}: ${name}`);
    const about = { min: -LARGEST, max: LARGEST, step: STEP, title, disabled: locked };
    const range = make("input", { type: "range", ...about }), number = make("input", { type: "number", ...about });
    range.ariaLabel = number.ariaLabel = title;
    const set = (input, done) => {
      if (input.value === "" || Math.abs(input.valueAsNumber) > LARGEST) return;
      this.write(withScale(this.host.read(), at, input.valueAsNumber), done);
    };
    range.oninput = () => set(range, false);
    number.oninput = () => set(number, false);
    range.onchange = number.onchange = () => (this.host.changed(), this.show());
    const reset = make("input", { type: "button", value: "0", title: say("Reset to 0: no change"), disabled: locked });
    reset.ariaLabel = say("Reset {what}", { what: `${edit.subject}: ${name}` });
    reset.onclick = () => this.write(withScale(this.host.read(), at, 0), true);
    const ends = [less, more].map((text) => make("span", { className: "likeness-sliders-end", title: sign }, text));
    return {
      element: this.line(label, ends[0], range, ends[1], number, reset, remove),
      show: (scale) => {
        range.value = scale;
        // Not under the hands of who types.
        if (number.valueAsNumber !== scale) number.value = written(scale);
      },
    };
  }

  line(...parts) {
    return make("div", { className: "likeness-sliders-row", role: "listitem" }, ...parts);
  }

  /** The connected attribute that a name or number in a line means. */
  meant(name, connected) {
    return connected.find((one) => one.name === name) ?? connected.find((one) => one.number === name);
  }

  /** What may be added: names, or numbers of sockets where a name is not known or stands twice. */
  offer(connected, locked) {
    const chosen = this.choice.value;
    const options = connected.map(({ number, name }) => {
      const alone = name && connected.filter((one) => one.name === name).length === 1;
      return make("option", { value: alone ? name : number }, alone ? name : `${number} ${name}`.trim());
    });
    this.choice.replaceChildren(...options);
    if (options.some(({ value }) => value === chosen)) this.choice.value = chosen;
    this.subject.disabled = this.choice.disabled = this.button.disabled = locked || !options.length;
  }

  add() {
    const subject = this.subject.value.trim(), name = this.choice.value;
    if (subject && name) this.write(withEdit(this.host.read(), { subject, name, scale: 1 }), true);
  }

  write(text, done) {
    this.host.write(text);
    if (done) this.host.changed();
    this.show();
  }

  say(entries, connected, locked) {
    const wrong = entries.filter(({ edit }) => !edit || !this.meant(edit.name, connected)).length;
    const unknown = entries.some(({ edit }) => edit && !SIGNS[this.meant(edit.name, connected)?.name ?? edit.name]);
    const told =
      (locked && say("The text comes over a link.")) ||
      (!connected.length && this.words.connect) ||
      (wrong && say("{count} of the lines can't be used: see edits.", { count: wrong })) ||
      (unknown && `?: ${UNKNOWN}.`) ||
      "";
    this.status.textContent = told;
    this.status.classList.toggle("wrong", Boolean(wrong) && !locked);
  }
}
