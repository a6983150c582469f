// A row in a node that opens on what its last run told the page. Does nothing when loaded alone.
//
// It is closed in a new node and in old workflows, which so keep their size; a workflow keeps it open.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { after, make, sheet, stays } from "./element.js";

const OPEN = "likeness.open"; // property of the node
const ROW = 28;

class Drawer {
  heard = false; // a run has told something

  /** panel: {element, ran(output, addresses), show()}; height of its room when it is open. */
  constructor(node, panel, { title, height, opened }) {
    Object.assign(this, { node, panel, height, opened });
    this.handle = make("input", { type: "button", value: title, onclick: () => this.toggle() });
    this.room = make("div", { className: "likeness-drawer-room" }, panel.element);
    this.room.style.height = `${height - 8}px`;
    const style = sheet("./drawer.css", import.meta.url);
    this.element = make("div", { className: "likeness-drawer" }, style, this.handle, this.room);
    // Canvas nodes get no wheel through an element; the others do, and a long table has its own.
    this.element.onwheel = (event) => {
      const scrolls = this.room.scrollHeight > this.room.clientHeight && this.room.contains(event.target);
      if (!scrolls && !window.LiteGraph.vueNodesMode) app.canvas.processMouseWheel(event);
    };
    this.show();
  }

  get open() {
    return this.node.properties[OPEN] === true;
  }

  get needs() {
    return ROW + (this.open ? this.height : 0);
  }

  toggle() {
    const [width, before] = this.node.size;
    this.node.properties[OPEN] = !this.open;
    this.show();
    this.node.setSize([width, this.open ? before + this.height : Math.max(before - this.height, 0)]);
    this.grow();
    app.canvas.emitBeforeChange();
    app.canvas.emitAfterChange();
    this.opened();
  }

  show() {
    this.handle.ariaExpanded = String(this.open);
    this.room.hidden = !this.open;
    this.element.style.minHeight = `${this.needs}px`;
    if (this.open) this.panel.show();
  }

  grow() {
    const [, least] = this.node.computeSize();
    this.node.setSize([this.node.size[0], Math.max(this.node.size[1], least)]);
    app.canvas?.setDirty(true, true);
  }
}

/**
 * Registers an extension that gives nodes of these classes a drawer. make(node) is its panel; key is what a run
 * tells it, in the node's output.
 */
export function registerDrawer(name, classes, key, words, makePanel) {
  const drawers = new Map();

  function attach(node) {
    const drawer = new Drawer(node, makePanel(node), { ...words, opened: ask });
    drawers.set(node, drawer);
    after(node, "onConfigure", () => (drawer.show(), drawer.grow()));
    after(node, "onExecuted", (output) => ran(drawer, output));
    after(node, "onRemoved", () => drawers.delete(node));
    const height = () => drawer.needs;
    const options = { serialize: false, hideOnZoom: false, getMinHeight: height, getMaxHeight: height };
    node.addDOMWidget(name, "likeness_drawer", drawer.element, options).serialize = false;
    stays(node, name, drawer.element);
    drawer.grow();
  }

  function ran(drawer, output) {
    if (!output?.[key]) return;
    const addresses = (output.likeness_pictures ?? []).map((picture) => {
      return api.apiURL(`/view?${new URLSearchParams(picture)}${app.getRandParam()}`);
    });
    drawer.heard = true;
    drawer.panel.ran(output[key], addresses);
    drawer.show();
  }

  /** What a node's last run told, kept by the page over undo and from one tab to another. */
  function recall(node, outputs = app.nodeOutputs) {
    const inside = node.graph && node.graph.isRootGraph === false;
    if (drawers.has(node)) ran(drawers.get(node), outputs?.[inside ? `${node.graph.id}:${node.id}` : node.id]);
  }

  /**
   * Asks the server what the nodes with open drawers told in an earlier run of the same graph: before this page
   * was there, or, after a run, because the host repeats nothing of what it had to look at no more.
   */
  async function ask(afterRun = false) {
    const inRoot = (node) => node.graph?.isRootGraph !== false;
    const blank = [...drawers].filter(([node, drawer]) => drawer.open && (afterRun || !drawer.heard) && inRoot(node));
    if (!blank.length) return;
    const { output } = await app.graphToPrompt();
    const prompt = Object.fromEntries(
      Object.entries(output).map(([id, { class_type, inputs }]) => [id, { class_type, inputs }]));
    const nodes = blank.map(([node]) => String(node.id)), body = JSON.stringify({ prompt, nodes });
    const headers = { "Content-Type": "application/json" };
    const answer = await api.fetchApi("/likeness/told", { method: "POST", headers, body });
    if (!answer.ok) return; // an older server, a graph that is not whole: the next run tells
    const told = await answer.json();
    blank.forEach(([node, drawer]) => ran(drawer, told[String(node.id)]));
  }

  app.registerExtension({
    name,
    setup: () => api.addEventListener("execution_success", () => ask(true)),
    afterConfigureGraph: () => void setTimeout(() => ask()),
    nodeCreated(node) {
      if (classes.includes(node.comfyClass)) attach(node);
    },
    loadedGraphNode: (node) => recall(node),
    onNodeOutputsUpdated: (outputs) => drawers.forEach((_, node) => recall(node, outputs)),
  });
}
