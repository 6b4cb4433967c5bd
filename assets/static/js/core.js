// Shared by the scripts that follow in app.js. Every page works without any of them: they only make the hands
// faster. Each finds its elements by data attributes, which stand at the top of its file, and listens on the
// document, so that parts which arrive later need no setting up.
const root = document.documentElement;
const find = (selector, from = document) => from.querySelector(selector);
const findAll = (selector, from = document) => [...from.querySelectorAll(selector)];
const csrf = () => find('meta[name="csrf"]')?.content ?? find('input[name="_csrf"]')?.value ?? "";

// Whether keys go into a field and are none of ours.
const isTyping = (node) =>
  node.matches?.("input:not([type=checkbox],[type=radio],[type=file]), textarea, select, [contenteditable]");

// What the browser stores for the reader; storage may be switched off.
const kept = {
  get(name, store = localStorage) {
    try { return store.getItem(`testkeep.${name}`); } catch { return null; }
  },
  set(name, value, store = () => localStorage) {
    try {
      if (value) store().setItem(`testkeep.${name}`, value);
      else store().removeItem(`testkeep.${name}`);
    } catch {
      // Nothing is lost that a page needs.
    }
  },
};
