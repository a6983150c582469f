// What the graph lacks, and how it comes. Does nothing when loaded alone.

import { make, sheet } from "../element.js";
import { say } from "../words.js";

const EVERY = 500; // milliseconds between two looks at a download
const STATES = { waiting: say("waiting"), stopped: say("stopped"), done: say("there") };

export class ModelsPanel {
  lacking = []; // files, as the server describes them
  jobs = new Map(); // what was asked for, by key
  running = false;
  error = "";

  /** host: ask(path, question) of the server, graph() as a prompt, came() when files have come. */
  constructor(host) {
    this.host = host;
    this.body = make("div", { className: "likeness-models-body" });
    const style = sheet("./panel.css", import.meta.url);
    const title = make("h3", {}, say("Files that this graph lacks"));
    this.element = make("section", { className: "likeness-models", ariaLabel: title.textContent });
    this.element.append(style, title, this.body);
  }

  /** Asks what the graph lacks now, and how far the downloads are. */
  async look() {
    await this.try(async () => {
      const told = await this.host.ask("lacks", { prompt: await this.host.graph() });
      Object.assign(this, { lacking: told.files, command: told.command, folder: told.folder, whyNot: told.why_not });
      this.hear(await this.host.ask("progress"));
    });
  }

  async try(work) {
    this.error = "";
    try {
      await work();
    } catch (error) {
      this.error = error.message;
    }
    this.show();
  }

  hear({ running, files }) {
    this.jobs = new Map(files.map((file) => [file.key, file]));
    if (running && !this.running) this.watch();
  }

  async watch() {
    this.running = true;
    while (this.running) {
      this.show();
      await new Promise((then) => setTimeout(then, EVERY));
      await this.try(async () => {
        const { running, files } = await this.host.ask("progress");
        this.jobs = new Map(files.map((file) => [file.key, file]));
        this.running = running;
      });
      if (this.error) this.running = false; // the server is gone
    }
    if (this.error) return;
    await this.host.came();
    await this.look();
  }

  get(files, notCommercial) {
    const keys = files.map(({ key }) => key);
    return this.try(async () => this.hear(await this.host.ask("get", { keys, not_commercial: notCommercial })));
  }

  stop() {
    return this.try(async () => this.hear(await this.host.ask("stop")));
  }

  show() {
    const parts = [];
    if (this.error) parts.push(make("p", { className: "wrong" }, this.error));
    if (!this.lacking.length) parts.push(make("p", {}, say("All model files of this graph are there.")));
    const [byHand, offered] = [true, false].map((hand) => this.lacking.filter((file) => file.by_hand === hand));
    const [restricted, free] = [true, false].map((not) => offered.filter((file) => file.not_commercial === not));
    if (free.length) parts.push(this.group(free, say("Get {count} files: {size}", sum(free)), false));
    if (restricted.length) {
      const title = say("Not for commercial use");
      const why = say("Their licences, or the data they were trained on, keep commerce out. No other button gets them.");
      const text = say("Get {count} files, not for commerce: {size}", sum(restricted));
      parts.push(make("h4", {}, title), make("p", {}, why), this.group(restricted, text, true));
    }
    if (byHand.length) {
      const rows = byHand.map((file) => this.row(file, say("From: {source}", file)));
      parts.push(make("h4", {}, say("To be put there by hand")), make("ul", {}, ...rows));
    }
    const kept = say("What has come is kept for the next time");
    if (this.running) parts.push(button(say("Stop"), kept, () => this.stop()));
    if (this.command) parts.push(...this.byCommand());
    this.put(parts);
  }

  /** What looks as before stays in the page: a button that is replaced while it is pressed hears no click. */
  put(parts) {
    parts.forEach((part, place) => {
      const old = this.body.children[place];
      if (!old) this.body.append(part);
      else if (!old.isEqualNode(part)) old.replaceWith(part);
    });
    while (this.body.children.length > parts.length) this.body.lastChild.remove();
  }

  group(files, text, notCommercial) {
    const list = make("ul", {}, ...files.map((file) => this.row(file)));
    if (this.whyNot) return list;
    const title = say("The files come to the folders that are named here");
    const get = button(text, title, () => this.get(files, notCommercial));
    get.disabled = this.running;
    return make("div", {}, list, get);
  }

  row(file, more = "") {
    const name = make("b", { title: file.note }, file.name);
    const row = make("li", {}, name, make("span", { className: "size" }, ` ${file.size_text} `));
    row.append(make("div", {}, say("Licence: {licence}", file)), make("div", { className: "target" }, file.target));
    if (more) row.append(make("div", {}, more));
    const job = this.jobs.get(file.key);
    // What came and is lacking again was taken away.
    if (job && (this.running || job.state !== "done")) row.append(...progress(job));
    return row;
  }

  byCommand() {
    const title = this.whyNot || say("Or run this command");
    const where = say("In {folder}, with ComfyUI's Python:", this);
    const command = make("input", { readOnly: true, defaultValue: this.command, ariaLabel: title });
    command.onfocus = () => command.select();
    return [make("h4", {}, title), make("div", {}, where), command];
  }
}

function button(value, title, onclick) {
  return make("input", { type: "button", value, title, onclick });
}

/** {count, size} of files; what has no known size counts for nothing. */
function sum(files) {
  const bytes = files.reduce((all, { size }) => all + (size ?? 0), 0);
  const size = bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return { count: files.length, size };
}

function progress({ state, message, have, total }) {
  if (state === "failed") return [make("div", { className: "wrong" }, message)];
  if (state !== "running") return [make("div", {}, STATES[state])];
  const bar = total ? make("progress", { max: total, value: have }) : make("progress", {});
  const whole = total && have >= total;
  const part = total ? `${Math.floor((100 * have) / total)} %` : `${(have / 1e6).toFixed(1)} MB`;
  return [bar, make("span", {}, whole ? say("looked through") : part)];
}
