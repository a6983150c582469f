// The text `indices`, read as likeness/faces/choose.py reads it. Does nothing when loaded alone.

const PART = /^\s*(-?\d+)(?:\s*-\s*(-?\d+))?\s*$/;

/** The places that a text names among `count` faces; none for a text that names none. */
export function placesOf(text, count) {
  const all = [...Array(count).keys()];
  if (["", "all"].includes(text.trim().toLowerCase())) return all;
  const places = new Set();
  for (const part of text.split(",")) {
    const match = part.match(PART);
    if (!match) return [];
    const [first, last] = [match[1], match[2] ?? match[1]].map(Number).map((n) => (n < 0 ? n + count : n));
    all.filter((n) => first <= n && n <= last).forEach((n) => places.add(n));
  }
  return [...places];
}

/** The places as such a text. */
export function asText(places) {
  return places.join(",");
}
