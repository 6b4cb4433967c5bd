// Lighthouse on every page, as figures: npm ci here and in the folder above, then node figures.mjs [mobile|desktop] [page …]
// Not part of ./tests/run: its performance figures depend on what else the machine does.
import lighthouse, { desktopConfig } from "lighthouse";
import { chromium } from "../node_modules/playwright-core/index.mjs";
import { open, closeBrowser, start } from "../lib.mjs";
import { PAGES, moveIn } from "../walk.mjs";

const wanted = process.argv.slice(2);
const formFactor = wanted[0] === "desktop" ? "desktop" : "mobile";
const names = wanted.filter((name) => !["mobile", "desktop"].includes(name));
const CATEGORIES = ["performance", "accessibility", "best-practices"];
const PORT = 9222 + (process.pid % 500);

const endings = [];
const t = { after: (ending) => endings.unshift(ending) };
let failed = 0;
try {
  const instance = await start(t);
  const page = await open(t, instance);
  await moveIn(page, instance);
  const cookies = await page.context().cookies(instance.url);
  const Cookie = cookies.map((cookie) => `${cookie.name}=${cookie.value}`).join("; ");
  const own = await chromium.launch({
    executablePath: process.env.TESTKEEP_CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--ignore-certificate-errors", `--remote-debugging-port=${PORT}`],
  });
  t.after(() => own.close());
  console.log(`${formFactor.padEnd(16)} perf  a11y  best   LCP ms  TBT ms   CLS  SI ms  KB`);
  for (const [name, path] of Object.entries({ signin: "/signin", ...PAGES })) {
    if (names.length > 0 && !names.includes(name)) continue;
    const flags = {
      port: PORT, onlyCategories: CATEGORIES, disableStorageReset: true, logLevel: "error",
      extraHeaders: name === "signin" ? {} : { Cookie },
    };
    const { lhr } = await lighthouse(instance.url + path, flags, formFactor === "desktop" ? desktopConfig : undefined);
    const score = (category) => String(Math.round((lhr.categories[category].score ?? 0) * 100)).padStart(4);
    const value = (audit) => String(Math.round(lhr.audits[audit]?.numericValue ?? 0));
    const kb = (Number(lhr.audits["total-byte-weight"]?.numericValue ?? 0) / 1024).toFixed(1);
    console.log(
      `${name.padEnd(16)} ${CATEGORIES.map(score).join("  ")}   ${value("largest-contentful-paint").padStart(6)}  ${value("total-blocking-time").padStart(6)}  ${(lhr.audits["cumulative-layout-shift"]?.numericValue ?? 0).toFixed(2)}  ${value("speed-index").padStart(5)}  ${kb}`,
    );
    for (const category of CATEGORIES.slice(1)) {
      const lost = lhr.categories[category].auditRefs.map((ref) => lhr.audits[ref.id]).filter((audit) => audit.score !== null && audit.score < 1);
      for (const audit of lost) console.log(`    ${audit.id}: ${audit.title}`);
      failed += lost.length;
    }
  }
} finally {
  for (const ending of endings) await ending();
  await closeBrowser();
}
process.exitCode = failed === 0 ? 0 : 1;
