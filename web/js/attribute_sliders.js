// Prompt with Attributes: a slider in the node for each line of its text widget `edits`. That text is what the
// server gets and what a workflow keeps; the sliders only read and write it.

import { app } from "../../../scripts/app.js";
import { SliderPanel } from "./sliders/panel.js";

const NODE = "LikenessAttributePrompt";
const WIDTH = 420, TEXT = 60;
const panels = new Map();
/** Nodes that know an attribute's name before they run, and the widget that has it. */
const NAMED = { LikenessLoadAttribute: "attribute", LikenessLearnAttribute: "name" };

const style = Object.assign(document.createElement("link"), { rel: "stylesheet" });
style.href = new URL("./sliders/panel.css", import.meta.url).href;
document.head.append(style);

/** Calls `then` after what the object does already. */
function after(object, name, then) {
  const before = object[name];
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    then(...given);
    return result;
  };
}

/** The connected attributes: {number of the socket, name}, name empty where only a run tells. */
function attributes(node) {
  return node.inputs.flatMap((input, slot) => {
    const number = input.name.match(/attribute_(\d+)$/)?.[1];
    if (number === undefined || input.link == null) return [];
    const from = node.getInputNode(slot);
    const widget = from?.widgets?.find((w) => w.name === NAMED[from.comfyClass]);
    return [{ number, name: String(widget?.value ?? "").trim() }];
  });
}

function attach(node) {
  const text = node.widgets.find((w) => w.name === "edits");
  const panel = new SliderPanel({
    read: () => text.value,
    write: (value) => (text.value = value),
    // Makes the edit one step of the graph's own history, too.
    changed: () => (app.canvas.emitBeforeChange(), app.canvas.emitAfterChange()),
    attributes: () => attributes(node),
    locked: () => node.inputs.some((input) => input.widget?.name === "edits" && input.link != null),
    grown: () => grow(node),
  });
  panels.set(node, panel);
  after(text, "callback", () => panel.show());
  after(node, "onConfigure", () => panel.show());
  // The link is there a moment later.
  after(node, "onConnectionsChange", () => setTimeout(() => panel.show()));
  after(node, "onRemoved", () => panels.delete(node));
  Object.assign(text.options, { getMinHeight: () => TEXT });
  // Canvas nodes get no wheel through an element; the others do.
  panel.element.onwheel = (event) => window.LiteGraph.vueNodesMode || app.canvas.processMouseWheel(event);
  const height = () => panel.height;
  const options = { serialize: false, hideOnZoom: false, getMinHeight: height, getMaxHeight: height };
  const shown = node.addDOMWidget("sliders", "likeness_sliders", panel.element, options);
  shown.serialize = false;
  panel.show();
  grow(node);
}

/** Room for all sliders; a node that is larger stays so. */
function grow(node) {
  const [, least] = node.computeSize();
  node.setSize([Math.max(node.size[0], WIDTH), Math.max(node.size[1], least)]);
  app.canvas?.setDirty(true, true);
}

app.registerExtension({
  name: "Likeness.AttributeSliders",
  nodeCreated(node) {
    if (node.comfyClass === NODE) attach(node);
  },
  // Names and links of the others are there only when all nodes are.
  afterConfigureGraph: () => panels.forEach((panel) => panel.show()),
});
