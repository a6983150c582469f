// Draws the picture, the points that were found and those that are placed. Does nothing when loaded alone.

import { say } from "../words.js";
import { bounds, same } from "./text.js";

/** The colours of Draw Face Keypoints, and what can be read on them. */
const COLOURS = ["#ff0000", "#00ff00", "#0000ff", "#ffff00", "#ff00ff"];
const INK = ["#fff", "#000", "#fff", "#000", "#fff"];
const STICKS = [[0, 2], [1, 2], [3, 2], [4, 2]];
const MARGIN = 12, DOT = 7;

/** The map from pixels of the picture to a canvas of these sides that shows a part: {scale, left, top}. */
export function place(width, height, { x = 0, y = 0, width: w, height: h }) {
  const scale = Math.max(0.001, Math.min((width - 2 * MARGIN) / w, (height - 2 * MARGIN) / h));
  return { scale, left: width / 2 - (x + w / 2) * scale, top: height / 2 - (y + h / 2) * scale };
}

export function draw(canvas, { page, part, image, faces, chosen, hint }) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return;
  // As many pixels as the screen shows, also when the graph is zoomed in.
  const zoom = canvas.getBoundingClientRect().width / width || 1;
  const density = Math.min(4, (window.devicePixelRatio || 1) * Math.max(1, zoom));
  Object.assign(canvas, { width: Math.round(width * density), height: Math.round(height * density) });
  const pen = canvas.getContext("2d");
  pen.scale(density, density);
  pen.textAlign = "center";
  pen.lineCap = "round";
  const view = place(width, height, part ?? page);
  backdrop(pen, view, page, image);
  const at = ([x, y]) => [view.left + x * view.scale, view.top + y * view.scale];
  faces.forEach((face, i) => {
    pen.globalAlpha = i === chosen.face ? 1 : 0.6;
    ghost(pen, face.points, page.found[face.face], at);
    dots(pen, face.points.map(at), i === chosen.face ? chosen.point : -1);
    const { middle, top } = bounds(face.points);
    if (faces.length > 1) label(pen, say("face {number}", { number: i }), at([middle[0], top]));
  });
  pen.globalAlpha = 1;
  if (hint) label(pen, hint, [width / 2, Math.min(height, view.top + page.height * view.scale)]);
}

function backdrop(pen, { scale, left, top }, page, image) {
  const width = page.width * scale, height = page.height * scale;
  pen.fillStyle = "#000";
  pen.fillRect(left, top, width, height);
  // Darker, so that the points stand out.
  pen.globalAlpha = 0.8;
  if (image) pen.drawImage(image, left, top, width, height);
  pen.globalAlpha = 1;
  pen.strokeStyle = "#666";
  pen.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
}

/** Where a face was found, if it was moved from there. */
function ghost(pen, points, found, at) {
  if (!found || same(points, found)) return;
  pen.lineWidth = 1;
  pen.strokeStyle = "#fff";
  found.forEach((spot, i) => {
    line(pen, at(spot), at(points[i]));
    circle(pen, at(spot), 4);
    pen.stroke();
  });
}

function dots(pen, spots, chosen) {
  pen.lineWidth = 4;
  for (const [a, b] of STICKS) {
    pen.strokeStyle = COLOURS[a] + "90";
    line(pen, spots[a], spots[b]);
  }
  pen.font = "bold 9px sans-serif";
  spots.forEach((spot, i) => {
    circle(pen, spot, DOT);
    Object.assign(pen, { lineWidth: i === chosen ? 5 : 2, strokeStyle: i === chosen ? "#fff" : "#000" });
    pen.stroke();
    pen.fillStyle = COLOURS[i];
    pen.fill();
    pen.fillStyle = INK[i];
    pen.fillText(String(i + 1), spot[0], spot[1] + 3);
  });
}

function label(pen, text, [x, y]) {
  Object.assign(pen, { font: "12px sans-serif", lineWidth: 3, strokeStyle: "#000", fillStyle: "#ddd" });
  pen.strokeText(text, x, y - 14);
  pen.fillText(text, x, y - 14);
}

function line(pen, [x1, y1], [x2, y2]) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function circle(pen, [x, y], radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
}
