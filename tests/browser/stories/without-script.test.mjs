// Everything a tester needs works in a browser that runs no script.
import assert from "node:assert/strict";
import test, { after } from "node:test";
import { closeBrowser, open, start, visit } from "../lib.mjs";
import { figures, moveIn, report, signIn } from "../walk.mjs";

after(closeBrowser);

/** Chooses the verdict of an item, records it and lands on the next page. */
async function judge(page, verdict) {
  const from = page.url();
  await page.locator(".judge").getByRole("radio", { name: verdict }).check({ force: true });
  await page.getByRole("button", { name: /next item|record/i }).click();
  await page.waitForURL((url) => url.href !== from);
}

test("claiming, uploading, browsing, executing and signing in work without script", async (t) => {
  const instance = await start(t);
  const page = await open(t, instance, { script: false });
  const { authenticator } = await moveIn(page, instance);

  await t.test("the upload was read into a run", async () => {
    await visit(page, "/p/SHOP/runs/1");
    assert.deepEqual(await figures(page), { passed: 5, failed: 2, errored: 1, skipped: 1 });
  });

  await t.test("an item is executed again, with a comment and a file", async () => {
    const main = page.getByRole("main");
    await main.getByRole("link", { name: /a saved card pays/ }).first().click();
    await main.getByRole("link", { name: /execute again/i }).click();
    await page.waitForURL(/\/runs\/1\/items\/\d+/);
    await page.getByRole("textbox", { name: /comment/i }).fill("Passed after the basket service was back.");
    await page.locator("input[type=file]").first().setInputFiles(report("pay-button-grey.png"));
    await judge(page, /^pass/i);
    await visit(page, "/p/SHOP/runs/1");
    assert.deepEqual(await figures(page), { passed: 6, failed: 1, errored: 1, skipped: 1 });
    await main.getByRole("link", { name: /a saved card pays/ }).first().click();
    const opened = page.locator("aside.opened");
    assert.match(await opened.innerText(), /Passed after the basket service was back/);
    assert.equal(await opened.getByRole("link", { name: "pay-button-grey.png" }).count(), 1);
  });

  await t.test("a case is written, found and changed", async () => {
    const main = page.getByRole("main");
    await visit(page, "/p/SHOP/cases/new");
    await page.getByRole("textbox", { name: /^title/i }).fill("Pay without script");
    await page.getByRole("textbox", { name: /action/i }).first().fill("Turn scripts off and pay.");
    await main.getByRole("button", { name: /write the case/i }).click();
    await page.waitForURL(/\/p\/SHOP\/cases\/\d+/);
    const at = new URL(page.url()).pathname;
    await visit(page, `${at}/edit`);
    await page.getByRole("textbox", { name: /expected/i }).first().fill("The order is confirmed.");
    await main.getByRole("button", { name: /save revision/i }).click();
    await visit(page, "/p/SHOP");
    await page.getByRole("searchbox", { name: /search the cases/i }).fill("without script");
    await page.keyboard.press("Enter");
    await main.getByRole("link", { name: /Pay without script/ }).first().click();
    assert.match(await main.innerText(), /The order is confirmed/);
  });

  await t.test("a run by hand is started and its first item passed", async () => {
    const main = page.getByRole("main");
    await visit(page, "/p/SHOP/runs/new");
    await page.getByRole("textbox", { name: /^title/i }).fill("By hand");
    await page.getByRole("button", { name: /start the run/i }).click();
    await page.waitForURL(/\/p\/SHOP\/runs\/2/);
    await main.getByRole("link", { name: /^execute/i }).click();
    await judge(page, /^pass/i);
    await visit(page, "/p/SHOP/runs/2");
    assert.deepEqual(await figures(page), { passed: 1, untested: 9 });
  });

  await t.test("signing out and in again", async () => {
    await page.getByRole("button", { name: /account of/i }).click();
    await page.getByRole("button", { name: /sign out/i }).first().click();
    await page.waitForURL(/signin/);
    await page.goto("/p/SHOP/runs");
    assert.match(page.url(), /signin/, "signed out is signed out");
    await signIn(page, authenticator);
    await visit(page, "/p/SHOP/cases");
    assert.match(await page.getByRole("main").innerText(), /a saved card pays/);
  });
});
