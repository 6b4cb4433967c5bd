// Small buttons.
// data-theme-set="dark"   light, dark, or empty for the system's; kept for this browser
// data-rail-toggle        narrows or widens the rail; kept for this browser
// data-copy="selector"    copies the text of what the selector names
// data-print              prints the page
// data-reveal="selector"  shows or hides a passphrase
// .tabs                   the tab of this page is in sight where not all of them are
function tellTheme() {
  const theme = root.dataset.theme ?? "";
  for (const button of findAll("[data-theme-set]")) button.ariaPressed = String(button.dataset.themeSet === theme);
}

async function copy(button) {
  const source = find(button.dataset.copy);
  const text = source?.value ?? source?.innerText ?? "";
  try {
    await navigator.clipboard.writeText(text.trim());
    say("Copied.");
  } catch {
    if (source?.select) source.select();
    else getSelection().selectAllChildren(source);
    say("Press Ctrl C to copy what is marked.", false);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button");
  if (!button) return;
  if ("themeSet" in button.dataset) {
    const theme = button.dataset.themeSet;
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    forGood.set("theme", theme);
    tellTheme();
  }
  if ("railToggle" in button.dataset) {
    root.dataset.rail = root.dataset.rail === "narrow" ? "wide" : "narrow";
    forGood.set("rail", root.dataset.rail);
  }
  if ("copy" in button.dataset) copy(button);
  if ("print" in button.dataset) print();
  if ("reveal" in button.dataset) {
    const field = find(button.dataset.reveal);
    field.type = field.type === "password" ? "text" : "password";
    button.ariaPressed = String(field.type === "text");
  }
});
tellTheme();
whenever(() => findAll(".tabs").forEach((tabs) => {
  const here = find("[aria-current]", tabs);
  if (here) tabs.scrollLeft = here.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - here.clientWidth) / 2;
}));
