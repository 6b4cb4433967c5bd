// Regions that stay true while one looks at them. htmx puts the fragment in place, so that focus stays.
// data-live="url"    a region whose fragment is at this address
// data-every="5"     seconds between two looks, 5 unless said
// data-events="url"  an event stream; each event is a reason to look at once
// data-live-at       in the fragment: from now on it is at this address
// data-live-end      in the fragment: nothing will change any more
// data-lost          comes with `hidden`; shown while the server does not answer
const streams = new Map();
const isOver = (region) => find("[data-live-end]", region) !== null;

async function refresh(region) {
  if (document.hidden || isOver(region) || region.contains(document.activeElement) && isTyping(document.activeElement)) return;
  const address = find("[data-live-at]", region)?.dataset.liveAt ?? region.dataset.live;
  try {
    await htmx.ajax("GET", address, { target: region, swap: "innerHTML" });
  } catch {
    // htmx has told of it below; the next look may do better.
  }
}

// What the reader did to the region outlasts a new content of it: folds, chosen rows, words half typed.
const isOurs = (region) => region.matches("[data-live]");
const handled = (region) => findAll("details[id], input[id]:not([type=hidden]), select[id]", region);
const handOf = (node) => node.matches("details") ? node.open : node.matches("[type=checkbox]") ? node.checked : node.value;
let hands = new Map();

function remember({ target }) {
  if (isOurs(target)) hands = new Map(handled(target).map((node) => [node.id, handOf(node)]));
}

function putBack({ target }) {
  if (!isOurs(target)) return;
  for (const node of handled(target).filter((node) => hands.has(node.id))) {
    if (node.matches("details")) node.open = hands.get(node.id);
    else if (node.matches("[type=checkbox]")) node.checked = hands.get(node.id);
    else node.value = hands.get(node.id);
  }
}

function watch() {
  for (const region of findAll("[data-live]")) {
    if (streams.has(region)) continue;
    const every = Number(region.dataset.every ?? 5) * 1000;
    const timer = setInterval(() => (region.isConnected ? refresh(region) : clearInterval(timer)), every);
    const source = region.dataset.events ? new EventSource(region.dataset.events) : null;
    source?.addEventListener("message", () => (region.isConnected ? refresh(region) : source.close()));
    streams.set(region, source);
  }
}

const tellLost = (isLost) => findAll("[data-lost]").forEach((node) => { node.hidden = !isLost; });
document.addEventListener("visibilitychange", () => { if (!document.hidden) findAll("[data-live]").forEach(refresh); });
document.addEventListener("htmx:beforeSwap", remember);
document.addEventListener("htmx:afterSwap", putBack, true);
document.addEventListener("htmx:configRequest", (event) => { event.detail.headers["X-CSRF-Token"] = csrf(); });
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) tellLost(false); });
document.addEventListener("htmx:sendError", () => tellLost(true));
document.addEventListener("htmx:responseError", (event) => {
  const { xhr } = event.detail;
  if (xhr.status === 401) { location.assign(`/signin?next=${encodeURIComponent(location.pathname + location.search)}`); return; }
  try {
    const { detail, hint } = JSON.parse(xhr.responseText);
    say([detail, hint].filter(Boolean).join(" "), false);
  } catch {
    tellLost(true);
  }
});
tellLost(false);
whenever(watch);
