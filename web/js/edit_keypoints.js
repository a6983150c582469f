// Edit Keypoints: a picture in the node on which the points are dragged. The text widget `keypoints` is what
// the server gets and what a workflow keeps; this only reads and writes it.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { after, stays } from "./element.js";
import { KeypointEditor } from "./keypoints/editor.js";

const NODE = "LikenessEditKeypoints";
const SIZE = [420, 720], PICTURE = 400, TEXT = 90;
const editors = new Map();

function attach(node) {
  const widget = (name) => node.widgets.find((w) => w.name === name), text = widget("keypoints");
  const editor = new KeypointEditor({
    write: (value) => (text.value = value),
    // Makes the edit one step of the graph's own history, too.
    changed: () => (app.canvas.emitBeforeChange(), app.canvas.emitAfterChange()),
    size: () => [widget("width").value, widget("height").value],
    locked: () => node.inputs.some((input) => input.widget?.name === "keypoints" && input.link != null),
  });
  editors.set(node, editor);
  after(text, "callback", () => (editor.points.receive(text.value), editor.show()));
  for (const name of ["width", "height"]) after(widget(name), "callback", () => editor.show());
  after(node, "onConfigure", () => (editor.points.load(text.value), editor.show()));
  after(node, "onConnectionsChange", () => editor.show());
  after(node, "onExecuted", (output) => ran(editor, output));
  after(node, "onRemoved", () => (editor.remove(), editors.delete(node)));
  Object.assign(text.options, { getMinHeight: () => TEXT, getMaxHeight: () => TEXT });
  // Canvas nodes get no wheel through an element; the others do.
  editor.element.onwheel = (event) => window.LiteGraph.vueNodesMode || app.canvas.processMouseWheel(event);
  const options = { serialize: false, hideOnZoom: false, getMinHeight: () => PICTURE };
  const picture = node.addDOMWidget("picture", "likeness_keypoints", editor.element, options);
  picture.serialize = false;
  stays(node, "picture", editor.element);
  node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
}

function ran(editor, output) {
  if (!output?.likeness_faces) return;
  const addresses = output.likeness_pictures.map((picture) => {
    return api.apiURL(`/view?${new URLSearchParams(picture)}${app.getRandParam()}`);
  });
  editor.ran(addresses, output.likeness_faces);
}

/** What a node's last run told, kept by the page over undo and from one tab to another. */
function recall(node, outputs = app.nodeOutputs) {
  const inside = node.graph && node.graph.isRootGraph === false;
  const output = outputs?.[inside ? `${node.graph.id}:${node.id}` : node.id];
  if (editors.has(node)) ran(editors.get(node), output);
}

app.registerExtension({
  name: "likeness.edit_keypoints",
  nodeCreated(node) {
    if (node.comfyClass === NODE) attach(node);
  },
  loadedGraphNode: (node) => recall(node),
  onNodeOutputsUpdated: (outputs) => editors.forEach((_, node) => recall(node, outputs)),
});
