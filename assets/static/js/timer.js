// How long one is at it.
// data-timer         a field of minutes and seconds that counts from the moment the page came. What somebody types
//                    into it stays; typed over by hand it counts no more.
// data-timer-pause   a button that stops the count and lets it go on
const timers = new WeakMap();
const spell = (seconds) => {
  const [hours, rest] = [Math.floor(seconds / 3600), seconds % 3600];
  const two = (number) => String(number).padStart(2, "0");
  const minutes = hours ? `${hours}:${two(Math.floor(rest / 60))}` : Math.floor(rest / 60);
  return `${minutes}:${two(rest % 60)}`;
};
const spelled = (text) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0) || 0;

function startTimers() {
  for (const field of findAll("[data-timer]")) {
    if (!timers.has(field)) timers.set(field, { from: Date.now() - spelled(field.value) * 1000, isPaused: false, isTyped: false });
  }
}

function tick() {
  for (const field of findAll("[data-timer]")) {
    const timer = timers.get(field);
    if (timer && !timer.isPaused && !timer.isTyped) field.value = spell(Math.floor((Date.now() - timer.from) / 1000));
  }
}

document.addEventListener("input", (event) => {
  const timer = timers.get(event.target);
  if (timer) timer.isTyped = true;
});
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-timer-pause]");
  const field = button && find("[data-timer]", button.closest("form"));
  const timer = field && timers.get(field);
  if (!timer) return;
  timer.isPaused = timer.isTyped || !timer.isPaused;
  if (timer.isTyped || !timer.isPaused) Object.assign(timer, { isPaused: false, isTyped: false, from: Date.now() - spelled(field.value) * 1000 });
  button.textContent = timer.isPaused ? "Go on" : "Pause";
});
whenever(startTimers);
setInterval(tick, 1000);
