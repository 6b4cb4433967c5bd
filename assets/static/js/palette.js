// The command palette: every page and action that the server put into #palette, narrowed while one types.
const palette = find("#palette");
if (palette) {
  const input = find("input", palette);
  const lines = findAll("[role=option]", palette);
  const none = find("p", palette);
  lines.forEach((line, place) => { line.id = `palette-${place}`; });
  const seen = () => lines.filter((line) => !line.hidden);

  const choose = (chosen) => {
    for (const line of lines) line.setAttribute("aria-selected", String(line === chosen));
    if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
    else input.removeAttribute("aria-activedescendant");
    chosen?.scrollIntoView({ block: "nearest" });
  };

  // A line fits if every word typed begins one of its words.
  const narrow = () => {
    const typed = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const line of lines) {
      const words = find(".grow", line).textContent.toLowerCase().split(/[\s,]+/);
      line.hidden = !typed.every((part) => words.some((word) => word.startsWith(part)));
    }
    for (const group of findAll("[role=group]", palette)) group.hidden = !find("[role=option]:not([hidden])", group);
    none.hidden = seen().length > 0;
    choose(seen()[0]);
  };

  input.addEventListener("input", narrow);
  palette.addEventListener("testkeep:opened", () => { input.value = ""; narrow(); });
  palette.addEventListener("click", (event) => { if (event.target === palette) palette.close(); });
  input.addEventListener("keydown", (event) => {
    const at = seen().findIndex((line) => line.getAttribute("aria-selected") === "true");
    if (event.key === "ArrowDown") choose(seen()[(at + 1) % seen().length]);
    else if (event.key === "ArrowUp") choose(seen().at(at - 1));
    else if (event.key === "Enter") seen()[at]?.click();
    else return;
    event.preventDefault();
  });
}
