// The text of edits, a line each: `man: person_age = 1.5`, `0-7: smile = 1`. Read here as edits.py of attributes
// and wplus in likeness/methods reads it.

import { say } from "../words.js";

export const LARGEST = 10, STEP = 0.05;
/** What a scale below and above 0 does, of the attributes where that is known: SIGNS in
 * likeness/choices/attributes.py. */
export const SIGNS = { person_age: [say("younger"), say("older")] };
export const UNKNOWN = say("direction of the sign not known: try both");

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** {subject, name, scale} of a line, or null. */
export function readLine(line) {
  const equals = line.lastIndexOf("="), colon = line.lastIndexOf(":", Math.max(0, equals));
  if (equals < 0 || colon < 0) return null;
  const subject = line.slice(0, colon).trim(), name = line.slice(colon + 1, equals).trim();
  const number = line.slice(equals + 1).trim(), scale = Number(number);
  const good = subject && name && NUMBER.test(number) && Math.abs(scale) <= LARGEST;
  return good ? { subject, name, scale } : null;
}

/** The lines of a text that are not empty: {at, line, edit}, edit null for one that is none. */
export function readEdits(text) {
  return text
    .split("\n")
    .map((line, at) => ({ at, line: line.trim(), edit: readLine(line) }))
    .filter(({ line }) => line);
}

/** The text with another scale in the line `at`. */
export function withScale(text, at, scale) {
  const lines = text.split("\n"), line = lines[at];
  lines[at] = `${line.slice(0, line.lastIndexOf("=")).trimEnd()} = ${written(scale)}`;
  return lines.join("\n");
}

/** The text without the line `at`. */
export function without(text, at) {
  return text.split("\n").filter((_, place) => place !== at).join("\n");
}

/** The text with one more line. */
export function withEdit(text, { subject, name, scale }) {
  const before = text.trimEnd();
  return `${before}${before ? "\n" : ""}${subject}: ${name} = ${written(scale)}`;
}

/** A scale as short as it can be: two digits behind the point, none that says nothing. */
export function written(scale) {
  return String(Number(scale.toFixed(2)));
}
