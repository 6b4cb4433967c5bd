// Everything a tester needs works in a browser that runs no script.
import assert from "node:assert/strict";
import test, { after } from "node:test";
import { closeBrowser, open, start, visit } from "../lib.mjs";
import { moveIn, report, signIn } from "../walk.mjs";

after(closeBrowser);

test("claiming, uploading, browsing, executing and signing in work without script", async (t) => {
  const instance = await start(t);
  const page = await open(t, instance, { script: false });
  const { authenticator } = await moveIn(page, instance);

  await t.test("the run is read and an item executed", async () => {
    await visit(page, "/p/SHOP/runs/1");
    assert.match(await page.getByRole("main").innerText(), /2\s+failed/);
    await page.getByRole("main").getByRole("link", { name: /a saved card pays/ }).first().click();
    await page.waitForURL(/\/runs\/1\/items\/\d+/);
    await page.getByRole("radio", { name: /^pass/i }).first().check();
    await page.getByLabel(/comment/i).first().fill("Passed after the basket service was back.");
    await page.locator("input[type=file]").first().setInputFiles(report("pay-button-grey.png"));
    await page.getByRole("button", { name: /save|next|record/i }).first().click();
    await visit(page, "/p/SHOP/runs/1");
    assert.match(await page.getByRole("main").innerText(), /1\s+failed/);
  });

  await t.test("signing out and in again", async () => {
    await page.getByRole("button", { name: /account of/i }).click();
    await page.getByRole("button", { name: /sign out/i }).first().click();
    await page.waitForURL(/signin/);
    await signIn(page, authenticator);
    await visit(page, "/p/SHOP/cases");
    assert.match(await page.getByRole("main").innerText(), /a saved card pays/);
  });
});
