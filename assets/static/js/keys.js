// Keys of every page.
// data-key="c"       a button or link that this key presses, or a field that it goes to; on a radio that is chosen,
//                    it sends the form
// data-go="c"        a link that `g` and then this key follows
// data-opens="id"    a button that opens the dialog of this id; data-closes closes the layer it stands in
// data-leave         a link that Esc follows
function open(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  findAll(":popover-open").forEach((layer) => layer.hidePopover());
  dialog.showModal();
  dialog.dispatchEvent(new CustomEvent("testkeep:opened"));
}

function close(button) {
  const dialog = button.closest("dialog");
  if (dialog) dialog.close();
  else button.closest(".toast")?.remove();
}

// Presses what can be seen, or what lies in a closed menu, which is there only to be found.
function press(event, selector) {
  const target = findAll(selector).find((node) => node.checkVisibility() || node.closest("[popover]"));
  if (!target) return;
  event.preventDefault();
  if (isTyping(target)) target.focus();
  else if (target.type === "radio" && target.checked) target.form?.requestSubmit();
  else target.click();
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented) return;
  const isChord = event.ctrlKey || event.metaKey;
  if (isChord && event.key === "k") { event.preventDefault(); open("palette"); return; }
  if (isChord || event.altKey || find("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = CSS.escape(event.key);
  if (isAwaitingPlace) {
    isAwaitingPlace = event.key === "Shift";
    press(event, `[data-go="${key}"]`);
  } else if (event.key === "g") {
    isAwaitingPlace = true;
  } else if (event.key === "/" && find("#search")) {
    event.preventDefault();
    find("#search").select();
  } else if (event.key === "Escape") {
    if (find(".toast")) find(".toast").remove();
    else if (!find(":popover-open")) press(event, "[data-leave]");
  } else {
    press(event, `[data-key="${key}"]`);
  }
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-opens]");
  if (opener) open(opener.dataset.opens);
  const closer = event.target.closest?.("[data-closes]");
  if (closer) close(closer);
});
