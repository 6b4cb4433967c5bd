// Evidence by paste or drop.
// data-drop          a form with one file field: files that are pasted anywhere on the page, dropped on the form or
//                    chosen in its field are sent one by one. Without script it is a field and a button.
// data-drop="url"    the same for a part of another form: its files go to this address before the form is sent,
//                    and the answers name them in hidden fields. Without script they go with the form.
// data-drop-list     a list in the form, or named by its value as a selector: gets a line for each file. What the
//                    server answers takes the place of that line.
// data-takes-line    a button that takes its line of a list away
const dropForm = () => find("[data-drop]");
const listOf = (form) => find("[data-drop-list]", form) ?? find("[data-drop-list]");

function nameOf(file) {
  if (file.name && file.name !== "image.png") return file.name;
  const ending = file.type.split("/")[1]?.replace(/[^a-z0-9].*/, "") ?? "bin";
  return `pasted-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${ending}`;
}

async function sendFile(form, file) {
  const name = nameOf(file);
  const state = make("span", { class: "push small faint", role: "status" }, "Sending");
  const line = make("li", { class: "line file" }, make("span", { class: "grow clip" }, name), state);
  listOf(form)?.append(line);
  const fields = new FormData();
  fields.append("_csrf", csrf());
  for (const field of form.matches("form") ? new FormData(form).entries() : []) {
    if (field[0] !== "_csrf" && !(field[1] instanceof File)) fields.append(...field);
  }
  fields.append(find('input[type="file"]', form)?.name || "file", file, name);
  try {
    const answer = await send(form.dataset.drop || addressOf(form), fields);
    if (answer.problem) fail(line, state, form, file, answer.problem);
    else if (answer.html) line.outerHTML = answer.html;
    else state.textContent = "Kept";
  } catch {
    fail(line, state, form, file, "No connection");
  }
}

function fail(line, state, form, file, sentence) {
  state.textContent = sentence;
  state.setAttribute("role", "alert");
  const again = make("button", { class: "button small", type: "button" }, "Send again");
  again.addEventListener("click", () => { line.remove(); sendFile(form, file); });
  line.append(again);
}

async function sendFiles(form, files) {
  for (const file of files) await sendFile(form, file);
}

document.addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (!dropForm() || !files.length) return;
  event.preventDefault();
  sendFiles(dropForm(), files);
});
document.addEventListener("dragover", (event) => {
  const isOurs = dropForm() && event.dataTransfer?.types.includes("Files");
  if (!isOurs) return;
  event.preventDefault();
  dropForm().classList.toggle("over", dropForm().contains(event.target));
});
document.addEventListener("dragleave", () => dropForm()?.classList.remove("over"));
document.addEventListener("drop", (event) => {
  if (!dropForm() || !event.dataTransfer?.files.length) return;
  // A file let go beside the form would else take the place of the page.
  event.preventDefault();
  dropForm().classList.remove("over");
  if (dropForm().contains(event.target)) sendFiles(dropForm(), [...event.dataTransfer.files]);
});
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("[data-drop]");
  if (!form || event.target.type !== "file") return;
  const files = [...event.target.files];
  event.target.value = "";
  sendFiles(form, files);
});
document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-drop]")) event.preventDefault();
});
document.addEventListener("click", (event) => event.target.closest?.("[data-takes-line]")?.closest("li").remove());
