// Score Faces, Assign Faces, Repair Faces: the table of the last run as a table in the node.

import { registerDrawer } from "./drawer.js";
import { ReportTable } from "./tables/panel.js";
import { say } from "./words.js";

const NODES = ["LikenessScoreFaces", "LikenessAssignFaces", "LikenessRepairFaces"];

registerDrawer("likeness.report_tables", NODES, "likeness_table", { title: say("Table"), height: 230 },
  () => new ReportTable());
