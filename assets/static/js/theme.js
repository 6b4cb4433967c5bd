// Theme, contrast and width of the rail as the reader chose them. Runs before the first paint, so that nothing
// flashes; everything else is in app.js.
try {
  for (const name of ["theme", "contrast", "rail"]) {
    const chosen = localStorage.getItem(`testkeep.${name}`);
    if (chosen) document.documentElement.dataset[name] = chosen;
  }
} catch {
  // Storage is switched off: the system's theme it is.
}
