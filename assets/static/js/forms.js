// Forms that lose nothing.
// data-draft="name"  a form whose text is kept in this tab until the server has taken it. It is sent by script,
//                    so that a network that is gone leaves it where it is; Ctrl S and Ctrl Enter send it.
// data-kept          a hidden field that belongs to the draft, such as the revision that a text was begun on
// data-draft-state   where the form says what is kept
// body[data-failed]  a page that says that nothing was done: drafts stay
const isKept = (field) => field.name && field.name !== "_csrf"
  && (!["file", "password", "submit", "hidden"].includes(field.type) || "kept" in field.dataset);
const draftOf = (form) => `draft.${form.dataset.draft}`;
const clock = () => new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function valuesOf(form) {
  return [...form.elements].filter(isKept).map((field) =>
    [field.name, ["checkbox", "radio"].includes(field.type) ? `${field.checked} ${field.value}` : field.value]);
}

function tellDraft(form, sentence) {
  const state = find("[data-draft-state]", form) ?? find(`[data-draft-state="${CSS.escape(form.getAttribute("id") ?? "")}"]`);
  if (state) state.textContent = sentence;
}

function keepDraft(form) {
  const value = JSON.stringify({ at: clock(), values: valuesOf(form) });
  tellDraft(form, inThisTab.set(draftOf(form), value) ? `Draft kept ${clock()}` : "This browser keeps no draft");
}

// Puts a draft back. Rows that the form does not have yet are added by steps.js, which knows how.
function restoreDraft(form) {
  const draft = JSON.parse(inThisTab.get(draftOf(form)) ?? "null");
  if (!draft || JSON.stringify(draft.values) === JSON.stringify(valuesOf(form))) return;
  form.dispatchEvent(new CustomEvent("testkeep:restoring", { detail: draft.values }));
  const left = [...draft.values];
  for (const field of [...form.elements].filter(isKept)) {
    const at = left.findIndex(([name]) => name === field.name);
    if (at < 0) continue;
    const [, value] = left.splice(at, 1)[0];
    if (["checkbox", "radio"].includes(field.type)) field.checked = value === `true ${field.value}`;
    else field.value = value;
  }
  const back = make("button", { class: "button small push", type: "button" }, "Discard it");
  const text = make("p", {}, make("b", {}, `What you typed until ${draft.at} is back.`));
  const notice = make("div", { class: "notice", role: "status" }, text, back);
  back.addEventListener("click", () => { inThisTab.set(draftOf(form), ""); location.reload(); });
  form.prepend(notice);
}

// Drafts that were sent and not refused are done with, wherever the answer has led.
function forgetSent() {
  if (document.body.hasAttribute("data-failed")) return;
  for (const name of inThisTab.names().filter((name) => name.startsWith("sent."))) {
    inThisTab.set(name.slice(5), "");
    inThisTab.set(name, "");
  }
}

function tellTrouble(form, sentence) {
  find(":scope > .trouble", form)?.remove();
  const notice = make("div", { class: "notice trouble", role: "alert", "data-status": "failed" });
  notice.append(make("div", {}, make("b", {}, "Not sent."), make("p", { class: "small" }, sentence)));
  form.prepend(notice);
  notice.scrollIntoView({ block: "nearest" });
}

async function sendForm(form, submitter) {
  const fields = new FormData(form, submitter);
  const isWithFiles = form.getAttribute("enctype") === "multipart/form-data";
  form.setAttribute("aria-busy", "true");
  try {
    const answer = await send(submitter?.getAttribute("formaction") || addressOf(form), isWithFiles ? fields : new URLSearchParams(fields));
    if (answer.goTo) {
      inThisTab.set(`sent.${draftOf(form)}`, "yes");
      location.assign(answer.goTo);
    } else if (answer.problem) {
      tellTrouble(form, `${answer.problem} Your text is kept here.`);
    } else {
      show(answer.html);
    }
  } catch {
    tellTrouble(form, "There is no connection. Your text is kept here; send it again when the connection is back.");
    tellDraft(form, `Not sent, kept here since ${clock()}`);
  } finally {
    form.removeAttribute("aria-busy");
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method")?.toLowerCase() !== "post") return;
  // A second click while the first is on its way would do it twice.
  if (form.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
  if (form.dataset.draft) {
    event.preventDefault();
    keepDraft(form);
    sendForm(form, event.submitter);
  } else if (!("progress" in form.dataset) && !("drop" in form.dataset)) {
    form.setAttribute("aria-busy", "true");
    // An answer that is a file leaves the page where it is.
    setTimeout(() => form.removeAttribute("aria-busy"), 4_000);
  }
});

let keeping = 0;
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.dataset.draft || !isKept(event.target)) return;
  clearTimeout(keeping);
  keeping = setTimeout(() => keepDraft(form), 400);
});

document.addEventListener("keydown", (event) => {
  const isSend = (event.ctrlKey || event.metaKey) && (event.key === "s" || event.key === "Enter");
  const form = isSend && (event.target.form ?? find("form[data-draft]"));
  if (!form?.dataset?.draft) return;
  event.preventDefault();
  form.requestSubmit();
});

// A page that comes back from the browser's memory is ready to be sent again.
window.addEventListener("pageshow", () => findAll("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy")));
window.addEventListener("online", () => findAll("form > .trouble").forEach((notice) => notice.remove()));
forgetSent();
findAll("form[data-draft]").forEach(restoreDraft);
