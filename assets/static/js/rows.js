// Lists that hands can walk, and rows that can be chosen.
// data-rows          a list; `j` and `k` walk its links with data-open, Enter follows them
// data-open          the link that opens a row; data-edit the one that edits it, by `e`
// data-select        the box that chooses a row, by `x`
// data-select-all    a box that chooses all rows of its list
// data-selection     the bar for chosen rows; shown while any is chosen. data-selected in it says how many
const linksOf = () => findAll("[data-rows] [data-open]").filter((link) => link.checkVisibility());
const rowOf = (node) => node?.closest?.("tr, li");
const boxesOf = (list) => findAll("[data-select]", list ?? document);

function walk(by) {
  const links = linksOf();
  const row = rowOf(document.activeElement);
  let at = links.findIndex((link) => link === document.activeElement || (row && rowOf(link) === row));
  if (at < 0 && !row) at = links.findIndex((link) => rowOf(link)?.matches("[aria-current], :has([data-open][aria-current])")) - (by > 0 ? 1 : 0);
  const next = links[Math.min(Math.max(at + by, 0), links.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function tellSelection() {
  const chosen = boxesOf().filter((box) => box.checked);
  for (const box of boxesOf()) {
    const row = rowOf(box);
    if (box.checked) row?.setAttribute("aria-selected", "true");
    else row?.removeAttribute("aria-selected");
  }
  for (const bar of findAll("[data-selection]")) {
    bar.hidden = chosen.length === 0;
    for (const count of findAll("[data-selected]", bar)) count.textContent = chosen.length.toLocaleString();
  }
  for (const all of findAll("[data-select-all]")) {
    const boxes = boxesOf(all.closest("[data-rows]"));
    const count = boxes.filter((box) => box.checked).length;
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  }
}

document.addEventListener("change", (event) => {
  const node = event.target;
  if (node.matches("[data-select-all]")) {
    for (const box of boxesOf(node.closest("[data-rows]"))) box.checked = node.checked;
  }
  if (node.matches("[data-select], [data-select-all]")) tellSelection();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || find("dialog[open]")) return;
  if (isAwaitingPlace) return;
  const row = rowOf(document.activeElement);
  const box = row && find("[data-select]", row);
  const edit = row && find("[data-edit]", row);
  if ((event.key === "j" || event.key === "k") && linksOf().length) walk(event.key === "j" ? 1 : -1);
  else if (event.key === "x" && box) box.click();
  else if (event.key === "e" && edit) edit.click();
  else if (event.key === "Escape" && boxesOf().some((one) => one.checked)) {
    for (const one of boxesOf()) one.checked = false;
    tellSelection();
  } else return;
  event.preventDefault();
});

// A row that opens beside its list is the current one from then on.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-open][hx-get]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  for (const row of findAll("[aria-current]", link.closest("[data-rows]"))) row.removeAttribute("aria-current");
  rowOf(link).setAttribute("aria-current", "true");
});

whenever(tellSelection);
