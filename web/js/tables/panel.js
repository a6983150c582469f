// A report as lines and a table. Does nothing when loaded alone.

import { make } from "../element.js";
import { say } from "../words.js";

export class ReportTable {
  constructor() {
    this.element = make("div", { tabIndex: 0, role: "region", ariaLabel: say("Table") });
    this.ran([]);
  }

  /** sheets: those of the last run, as Sheet.told() of likeness/algebra/sheet.py has them. */
  ran(sheets) {
    // What came of it and the table first; how it was measured may be looked for.
    const parts = sheets.flatMap(({ above: [result, ...how], columns, rows, below }) => [
      make("p", {}, result),
      make("table", {}, head(columns), make("tbody", {}, ...rows.map((row) => line(row, columns)))),
      ...[...below, ...how].map((text) => make("p", {}, text)),
    ]);
    const nothing = make("p", {}, say("Run the graph once to see the table"));
    this.element.replaceChildren(...(parts.length ? parts : [nothing]));
  }

  show() {}
}

function head(columns) {
  const cells = columns.map(({ name, left }) => make("th", { scope: "col", className: left ? "left" : "" }, name));
  return make("thead", {}, make("tr", {}, ...cells));
}

/** A row that ends early has a remark in its last cell. */
function line(row, columns) {
  const cells = row.map((text, i) => {
    const rest = i === row.length - 1 ? columns.length - i : 1;
    const remark = rest > 1 && Number.isNaN(Number(text));
    return make("td", { colSpan: rest, className: columns[i].left || remark ? "left" : "" }, text);
  });
  return make("tr", {}, ...cells);
}
