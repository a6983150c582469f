// What our widgets say, in the page's language. Does nothing when loaded alone.
//
// The English text itself is asked for, as in locales/: texts/LANGUAGE.json maps it to its translation, and is
// written by tools/locales.py. What has no translation is said in English.

import { app } from "../../../scripts/app.js";

const LANGUAGES = ["zh", "ja", "ko", "ru", "es", "fr", "de"];

async function load() {
  const language = app.extensionManager?.setting.get("Comfy.Locale") ?? "en";
  if (!LANGUAGES.includes(language)) return {};
  const answer = await fetch(new URL(`./texts/${language}.json`, import.meta.url));
  return answer.ok ? answer.json() : {};
}

const texts = await load();

/** A text with {name} in it replaced by values.name. */
export function say(text, values = {}) {
  return (texts[text] || text).replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}
