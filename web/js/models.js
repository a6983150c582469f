// The tab Models of Likeness: which files the nodes of the graph lack, the command that gets them, and, in a page
// on the server's own machine, buttons that do. It opens by itself when a graph that lacks some is opened.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { ModelsPanel } from "./models/panel.js";
import { say } from "./words.js";

const TAB = "likeness.models";
const told = new Set(); // files for which the tab has opened

const panel = new ModelsPanel({
  async ask(path, question = {}) {
    const headers = { "Content-Type": "application/json" }, body = JSON.stringify(question);
    const answer = await api.fetchApi(`/likeness/models/${path}`, { method: "POST", headers, body });
    const type = answer.headers.get("Content-Type") ?? "";
    const content = type.includes("json") ? await answer.json() : { error: `HTTP ${answer.status}` };
    if (!answer.ok) throw new Error(content.error);
    return content;
  },
  async graph() {
    const { output } = await app.graphToPrompt();
    return Object.fromEntries(
      Object.entries(output).map(([id, { class_type, inputs }]) => [id, { class_type, inputs }]));
  },
  async came() {
    await app.refreshComboInNodes();
    // Newer pages remember by themselves what is missing.
    await app.refreshMissingModels?.({ silent: true, reloadDefs: false });
  },
});

function isOurs(graph) {
  return graph.nodes.some((node) => node.type?.startsWith("Likeness") || (node.subgraph && isOurs(node.subgraph)));
}

async function opened() {
  if (!isOurs(app.graph)) return;
  await panel.look();
  const fresh = panel.lacking.filter(({ key }) => !told.has(key));
  fresh.forEach(({ key }) => told.add(key));
  // Who turned off the page's own dialog of missing models wants none from us.
  const wanted = app.extensionManager.setting.get("Comfy.Workflow.ShowMissingModelsWarning") !== false;
  if (fresh.length && wanted) app.extensionManager.sidebarTab.activeSidebarTabId = TAB;
}

app.registerExtension({
  name: TAB,
  setup() {
    app.extensionManager.registerSidebarTab({
      id: TAB,
      icon: "pi pi-user",
      title: say("Likeness: models"),
      tooltip: say("Likeness: models"),
      type: "custom",
      render: (element) => (element.append(panel.element), panel.look()),
    });
  },
  // Not waited for: the graph is there without it.
  afterConfigureGraph: () => void setTimeout(opened),
});
