// Select Faces: a picture in the node on which faces are clicked. The widgets `by` and `indices` are what the
// server gets and what a workflow keeps; this only reads and writes them.

import { app } from "../../../scripts/app.js";
import { registerDrawer } from "./drawer.js";
import { after } from "./element.js";
import { FacePicker } from "./picker/panel.js";
import { say } from "./words.js";

registerDrawer("likeness.pick_faces", ["LikenessSelectFaces"], "likeness_faces", {
  title: say("Click faces in the picture"),
  height: 260,
}, (node) => {
  const [by, indices] = ["by", "indices"].map((name) => node.widgets.find((widget) => widget.name === name));
  const picker = new FacePicker({
    read: () => ({ by: by.value, indices: indices.value }),
    write(text) {
      by.value = picker.order;
      indices.value = text;
      app.canvas.emitBeforeChange();
      app.canvas.emitAfterChange();
    },
    locked: () => node.inputs.some((input) => ["by", "indices"].includes(input.widget?.name) && input.link != null),
  });
  for (const widget of [by, indices]) after(widget, "callback", () => picker.show());
  after(node, "onConnectionsChange", () => setTimeout(() => picker.show()));
  return picker;
});
