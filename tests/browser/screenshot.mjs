// Takes docs/images/run.png from the running product: node screenshot.mjs [file]
// A demonstration project, its newest run of a pipeline that has failures, and the first of them opened.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { closeBrowser, mustRun, open, start, visit } from "./lib.mjs";
import { claim, enrol } from "./walk.mjs";

const file = process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "../../docs/images/run.png");
const endings = [];
const t = { after: (ending) => endings.unshift(ending) };
try {
  const instance = await start(t);
  const page = await open(t, instance);
  await claim(page, instance);
  await enrol(page);
  await mustRun(["demo", "--data", instance.data]);
  await visit(page, "/p/SHOP/runs");
  await page.locator("tr", { hasText: "automated", has: page.locator('[data-status="failed"]') }).locator("a[data-open]").first().click();
  await page.waitForURL(/\/runs\/\d+$/);
  await page.locator(".items-table a[data-open]").first().click();
  await page.locator("aside.opened").waitFor();
  await page.mouse.move(0, 0);
  await page.evaluate(() => document.activeElement?.blur());
  mkdirSync(dirname(file), { recursive: true });
  await page.screenshot({ path: file });
  console.log(file);
} finally {
  for (const ending of endings) await ending();
  await closeBrowser();
}
