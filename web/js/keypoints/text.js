// The text of the widget `keypoints`, read and written; likeness/faces/edit_keypoints.py tells its form.
// Loaded alone, as the host loads every file of this folder, it does nothing.

import { say } from "../words.js";

const isPoint = (p) => Array.isArray(p) && p.length === 2 && p.every(Number.isFinite);
const isPlace = (n) => n === undefined || n === null || (Number.isInteger(n) && n >= 0);
const round = (v) => Math.round(v * 100) / 100;

/** Entries {points, picture?, face?} of a text. Throws an Error that says what is wrong. */
export function parse(text) {
  const entries = text.trim() ? JSON.parse(text) : [];
  if (!Array.isArray(entries)) throw new Error(say("not a list of faces"));
  entries.forEach((entry, i) => {
    const { points, picture, face } = entry ?? {};
    if (![0, 5].includes(points?.length) || !points.every(isPoint)) throw new Error(say("face {number} needs five points [x, y]", { number: i }));
    if (!isPlace(picture) || !isPlace(face)) throw new Error(say("face {number}: picture and face are whole numbers", { number: i }));
  });
  return entries;
}

/** The text of entries, a line for each; nothing for none. */
export function format(entries) {
  const lines = entries.map(({ picture, face, points }) => {
    const where = Object.entries({ face, picture }).filter(([, v]) => v !== undefined && v !== null);
    const list = points.map((p) => `[${p.map(round).join(", ")}]`).join(", ");
    return `{${where.map(([k, v]) => `"${k}": ${v}, `).join("")}"points": [${list}]}`;
  });
  return lines.length ? `[\n ${lines.join(",\n ")}\n]` : "";
}

const isOf = (place, first) => (entry) => (entry.picture ?? first) === place;

/** The faces of a picture as the server will see them: those of the entries, else those found in it. */
export function facesOf(entries, place, first, found) {
  const named = entries.filter(isOf(place, first));
  if (!named.length) return found.map((points, face) => ({ points, face }));
  return named.filter((entry) => entry.points.length).map(({ points, face }) => ({ points, face }));
}

/** Entries in which a picture has these faces. A picture that has what was found in it is not named. */
export function withFaces(entries, place, first, found, faces) {
  const rest = entries.filter((entry) => !isOf(place, first)(entry));
  if (faces.length === found.length && faces.every((f, i) => f.face === i && same(f.points, found[i]))) return rest;
  const picture = place === first ? undefined : place;
  const named = faces.length ? faces.map((face) => ({ ...face, picture })) : [{ points: [], picture }];
  return [...rest, ...named].sort((a, b) => (a.picture ?? first) - (b.picture ?? first));
}

export const same = (a, b) => a.every((p, i) => p.every((v, j) => round(v) === round(b[i][j])));

export const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** {left, top, right, bottom, middle} of points. */
export function bounds(points) {
  const [xs, ys] = [0, 1].map((j) => points.map((p) => p[j]));
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  return { left, top, right, bottom, middle: [(left + right) / 2, (top + bottom) / 2] };
}
