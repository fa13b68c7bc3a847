// The texts of the page in the reader's language.

let texts = {};

/** Load the texts of a language, and write those that stand in the page itself. */
export async function speak(language) {
  texts = await (await fetch(`static/text/${language}.json`)).json();
  document.documentElement.lang = language;
  document.title = `${text("title")} - Thalweg`;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = text(one.dataset.text);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", text(one.dataset.label));
  for (const one of document.querySelectorAll("button:has(.unseen)")) one.title = one.querySelector(".unseen").textContent;
}

/** The text of a key, with values in the places of their names; the key itself if there is none. */
export function text(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A number as it is written in the reader's language. */
export function number(value, digits = 0) {
  if (value === null || value === undefined) return "NaN";
  return value.toLocaleString(document.documentElement.lang, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** An element whose text is that of a key, in whichever language is spoken. */
export function labelled(kind, key) {
  const made = document.createElement(kind);
  made.dataset.text = key; made.textContent = text(key);
  return made;
}
