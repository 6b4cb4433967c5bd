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

// Whether `g` was pressed and the key of a place is to follow.
let isAwaitingPlace = false;

// What the browser stores for the reader, in this tab or for good. Storage may be switched off or full.
const storage = (store) => ({
  get(name) {
    try { return store().getItem(`testkeep.${name}`); } catch { return null; }
  },
  set(name, value) {
    try {
      if (value) store().setItem(`testkeep.${name}`, value);
      else store().removeItem(`testkeep.${name}`);
      return true;
    } catch {
      return false;
    }
  },
  names() {
    try { return Object.keys(store()).filter((name) => name.startsWith("testkeep.")).map((name) => name.slice(9)); }
    catch { return []; }
  },
});
const forGood = storage(() => localStorage);
const inThisTab = storage(() => sessionStorage);

// Where a form goes. A field called "action" hides the property of that name.
const addressOf = (form) => form.getAttribute("action") || location.href;

// An element with text; attributes that are null are left out.
function make(name, attributes = {}, ...content) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(key, value);
  node.append(...content);
  return node;
}

// Says a sentence at the foot of the page, in place of the one before.
function say(sentence, isGood = true) {
  findAll(".toast").forEach((toast) => toast.remove());
  const close = make("button", { class: "button small", type: "button", "data-closes": "" }, "Close");
  const role = isGood ? "status" : "alert";
  document.body.append(make("div", { class: "toast", role }, make("span", {}, sentence), close));
}

// Sends by script and takes the answer: where to go, a page or fragment, or the problem in words.
// A network that is gone throws a TypeError, as fetch does.
async function send(address, body, method = "POST") {
  const headers = { "X-CSRF-Token": csrf(), "HX-Request": "true", Accept: "text/html, application/problem+json" };
  return taken(await fetch(address, { method, body, headers, credentials: "same-origin" }));
}

async function taken(response) {
  const goTo = response.headers.get("HX-Redirect");
  const text = await response.text();
  if (response.headers.get("Content-Type")?.startsWith("application/problem+json")) {
    const { detail, hint, status } = JSON.parse(text);
    return { status, isGood: false, problem: [detail, hint].filter(Boolean).join(" ") };
  }
  return { status: response.status, isGood: response.ok, goTo, html: text };
}

// Puts the content of a page that came by script in the place of this one.
function show(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const [here, there] = [find("main"), find("main", page)];
  if (!here || !there) return;
  document.title = page.title;
  here.replaceWith(there);
  find('[aria-invalid="true"], [role="alert"]', there)?.scrollIntoView({ block: "center" });
  find('[aria-invalid="true"]', there)?.focus();
  document.dispatchEvent(new CustomEvent("testkeep:shown"));
}

// Runs now, and again whenever new content has come.
function whenever(work) {
  const onReady = () => work(document);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", onReady);
  else onReady();
  document.addEventListener("testkeep:shown", onReady);
  document.addEventListener("htmx:afterSwap", onReady);
}
