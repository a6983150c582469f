// Load W+ Direction: the names of PreciseControl's file to choose from. What is chosen is written into the text
// widget `direction`, which the server gets and a workflow keeps; any other text may stand there.

import { app } from "../../../scripts/app.js";
import { say } from "./words.js";

const NODE = "LikenessLoadWPlusDirection";
let known = { file: "", names: {} }; // of nodes/wplus_edit.py: names as people read them, by key

function attach(node) {
  const widget = (name) => node.widgets.find((w) => w.name === name);
  const file = widget("file"), text = widget("direction");
  const names = () => (file.value.split(/[\\/]/).at(-1) === known.file ? known.names : {});
  const shown = () => names()[text.value] ?? text.value;
  const choose = (label) => {
    const key = Object.keys(known.names).find((one) => known.names[one] === label);
    if (key) text.value = key;
    text.callback?.(text.value);
    app.canvas.setDirty(true, true);
  };
  const options = { values: () => Object.values(names()), serialize: false };
  const choice = node.addWidget("combo", "names", shown(), choose, options);
  choice.label = say("name");
  choice.serialize = false;
  const follow = () => (choice.value = shown());
  for (const one of [file, text]) {
    const before = one.callback;
    one.callback = function (...given) {
      const result = before?.apply(this, given);
      follow();
      return result;
    };
  }
  const configured = node.onConfigure;
  node.onConfigure = function (...given) {
    configured?.apply(this, given);
    follow();
  };
}

app.registerExtension({
  name: "likeness.direction_names",
  beforeRegisterNodeDef(_, definition) {
    const about = definition.name === NODE && definition.input?.required?.direction?.[1]?.likeness_names;
    if (about) known = about;
  },
  nodeCreated(node) {
    if (node.comfyClass === NODE) attach(node);
  },
});
