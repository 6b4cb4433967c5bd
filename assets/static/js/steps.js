// Rows of steps in the editor of a case.
// data-steps         an <ol>; each <li> is a row of fields, such as two <textarea>
// data-step="…"      a button in a row: remove, up or down; or outside of it: add
// Tab in the last field of the last row adds a row; Alt with the arrows moves one; a table that is pasted from a
// spreadsheet becomes rows. Without script a form sends the rows it has, with empty ones at their end.
const stepsOf = (node) => node.closest("[data-steps]") ?? find("[data-steps]", node.closest("section, form") ?? document);
const fieldsOf = (row) => findAll("textarea, input:not([type=hidden])", row);
const isEmptyRow = (row) => fieldsOf(row).every((field) => !field.value.trim());

function addRow(list, after = list.lastElementChild) {
  const row = list.lastElementChild.cloneNode(true);
  for (const field of fieldsOf(row)) field.value = "";
  for (const field of findAll("input[type=hidden]", row)) field.value = "";
  after.after(row);
  number(list);
  return row;
}

// Labels and ids name the row, so they follow its place.
function number(list) {
  [...list.children].forEach((row, place) => {
    for (const node of findAll("[aria-label]", row)) {
      node.setAttribute("aria-label", node.getAttribute("aria-label").replace(/\d+/, place + 1));
    }
    for (const node of findAll("[id]", row)) node.id = node.id.replace(/\d+$/, place + 1);
  });
}

function changed(list) {
  number(list);
  list.closest("form")?.elements[0]?.dispatchEvent(new Event("input", { bubbles: true }));
  fieldsOf(list)[0]?.dispatchEvent(new Event("input", { bubbles: true }));
}

function moveRow(row, by) {
  const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  const focused = document.activeElement;
  if (by < 0) other.before(row);
  else other.after(row);
  focused.focus();
  changed(row.parentElement);
}

function removeRow(row) {
  const list = row.parentElement;
  const next = row.nextElementSibling ?? row.previousElementSibling;
  if (next) row.remove();
  else for (const field of fieldsOf(row)) field.value = "";
  fieldsOf(next ?? row)[0]?.focus();
  changed(list);
}

// The cells of a table as spreadsheets put it into the clipboard: tabs between cells, quotes around line ends.
function cellsOf(text) {
  const rows = [[""]];
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    const cell = rows.at(-1);
    if (letter === '"' && isQuoted && text[at + 1] === '"') cell[cell.length - 1] += text[at++];
    else if (letter === '"' && (isQuoted || cell.at(-1) === "")) isQuoted = !isQuoted;
    else if (letter === "\t" && !isQuoted) cell.push("");
    else if (letter === "\n" && !isQuoted) rows.push([""]);
    else if (letter !== "\r") cell[cell.length - 1] += letter;
  }
  return rows.filter((row) => row.some((cell) => cell.trim()));
}

function pasteRows(field, rows) {
  let row = field.closest("li");
  const list = row.parentElement;
  const column = fieldsOf(row).indexOf(field);
  rows.forEach((cells, place) => {
    if (place > 0) row = row.nextElementSibling && isEmptyRow(row.nextElementSibling) ? row.nextElementSibling : addRow(list, row);
    cells.forEach((cell, offset) => {
      const target = fieldsOf(row)[column + offset];
      if (target) target.value = cell.trim();
    });
  });
  fieldsOf(row).at(-1)?.focus();
  changed(list);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-step]");
  if (!button) return;
  const [row, list] = [button.closest("[data-steps] > li"), stepsOf(button)];
  if (button.dataset.step === "add") fieldsOf(addRow(list))[0]?.focus();
  else if (button.dataset.step === "remove") removeRow(row);
  else moveRow(row, button.dataset.step === "up" ? -1 : 1);
});

document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.("[data-steps] > li");
  if (!row || event.isComposing) return;
  const isLast = !row.nextElementSibling && fieldsOf(row).at(-1) === event.target;
  if (event.key === "Tab" && !event.shiftKey && isLast && !isEmptyRow(row)) fieldsOf(addRow(row.parentElement))[0]?.focus();
  else if (event.altKey && event.key === "ArrowUp") moveRow(row, -1);
  else if (event.altKey && event.key === "ArrowDown") moveRow(row, 1);
  else return;
  event.preventDefault();
});

document.addEventListener("paste", (event) => {
  if (event.defaultPrevented || !event.target.closest?.("[data-steps] > li")) return;
  const text = event.clipboardData?.getData("text/plain") ?? "";
  const field = event.target;
  if (!text.includes("\t") || !fieldsOf(field.closest("li")).includes(field)) return;
  event.preventDefault();
  pasteRows(field, cellsOf(text));
});

// Before a draft comes back, the rows it had are made.
document.addEventListener("testkeep:restoring", (event) => {
  const list = find("[data-steps]", event.target);
  const name = list && fieldsOf(list.firstElementChild)[0]?.name;
  if (!name) return;
  const wanted = event.detail.filter(([field]) => field === name).length;
  while (list.children.length < wanted) addRow(list);
}, true);
