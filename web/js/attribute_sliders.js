// Prompt with Attributes and Edit W+: a slider in the node for each line of its text widget `edits`. That text
// is what the server gets and what a workflow keeps; the sliders only read and write it.

import { app } from "../../../scripts/app.js";
import { after, stays } from "./element.js";
import { SliderPanel } from "./sliders/panel.js";
import { say } from "./words.js";

/** socket: of what edits name. named: nodes that know its name before they run, and the widget that has it. */
const KINDS = {
  LikenessAttributePrompt: {
    socket: "attribute",
    named: { LikenessLoadAttribute: "attribute", LikenessLearnAttribute: "name" },
    words: {
      subject: "person",
      whose: say("Subject"),
      whoseTitle: say("Whose words: a noun of the text"),
      what: say("Attribute"),
      whatTitle: say("One of the connected attributes"),
      connect: say("Connect Load Attribute to attribute_0."),
    },
  },
  LikenessEditWPlus: {
    socket: "direction",
    named: { LikenessLoadWPlusDirection: "direction" },
    words: {
      subject: "all",
      whose: say("Layers"),
      whoseTitle: say("Which layers of the code: all, or such as 0-7"),
      what: say("Direction"),
      whatTitle: say("One of the connected directions"),
      connect: say("Connect Load W+ Direction to direction_0."),
    },
  },
};
const WIDTH = 420, TEXT = 60;
const panels = new Map();

/** What is connected: {number of the socket, name}, name empty where only a run tells. */
function connected(node, { socket, named }) {
  const numbered = new RegExp(`${socket}_(\\d+)$`);
  return node.inputs.flatMap((input, slot) => {
    const number = input.name.match(numbered)?.[1];
    if (number === undefined || input.link == null) return [];
    const from = node.getInputNode(slot);
    const widget = from?.widgets?.find((w) => w.name === named[from?.comfyClass]);
    return [{ number, name: String(widget?.value ?? "").trim() }];
  });
}

function attach(node, kind) {
  const text = node.widgets.find((w) => w.name === "edits");
  const panel = new SliderPanel({
    read: () => text.value,
    write: (value) => (text.value = value),
    // Makes the edit one step of the graph's own history, too.
    changed: () => (app.canvas.emitBeforeChange(), app.canvas.emitAfterChange()),
    attributes: () => connected(node, kind),
    locked: () => node.inputs.some((input) => input.widget?.name === "edits" && input.link != null),
    grown: () => grow(node),
  }, kind.words);
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
  stays(node, "sliders", panel.element);
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
  name: "likeness.attribute_sliders",
  nodeCreated(node) {
    if (KINDS[node.comfyClass]) attach(node, KINDS[node.comfyClass]);
  },
  // Names and links of the others are there only when all nodes are.
  afterConfigureGraph: () => panels.forEach((panel) => panel.show()),
});
