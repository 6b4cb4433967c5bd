// Times in the zone of the reader.
// time[data-relative]   how long ago, with the exact moment on hover
// time[data-exact]      the moment itself
const units = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];
const locale = navigator.language;
const ago = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const written = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const precise = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "long" });

function since(moment) {
  const seconds = (moment - Date.now()) / 1000;
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  return Math.abs(seconds) < 45 ? ago.format(0, "second") : ago.format(Math.round(seconds / size), unit);
}

function tellTimes() {
  for (const time of findAll("time[data-relative], time[data-exact]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.title = precise.format(moment);
    time.textContent = "relative" in time.dataset ? since(moment) : written.format(moment);
  }
}

setInterval(tellTimes, 30_000);
whenever(tellTimes);
