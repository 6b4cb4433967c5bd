// Every page: no violation of axe in light and dark, nothing asked elsewhere, no scrolling sideways on a phone.
import assert from "node:assert/strict";
import test, { after } from "node:test";
import { closeBrowser, inspect, open, start, visit } from "../lib.mjs";
import { OWNER, PAGES, moveIn } from "../walk.mjs";

after(closeBrowser);

/** One heading of the first level, and all that `inspect` asks. */
async function good(page, name) {
  assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1, `${name} has one heading of the first level`);
  await inspect(page, name);
}

test("every page keeps what pages promise", async (t) => {
  const instance = await start(t);
  const page = await open(t, instance);
  await visit(page, "/signin");
  await good(page, "signin-unclaimed");
  await visit(page, instance.setupUrl);
  await good(page, "setup");
  await moveIn(page, instance);

  for (const [name, path] of Object.entries(PAGES)) {
    await t.test(`${name}: ${path}`, async () => {
      await visit(page, path);
      await good(page, name);
    });
  }

  await t.test("an item of a run, opened and executed", async () => {
    await visit(page, "/p/SHOP/runs/1");
    await page.getByRole("link", { name: /a saved card pays/ }).click();
    await page.locator("aside.opened").waitFor();
    await good(page, "run-item");
    await page.getByRole("link", { name: /execute again/i }).click();
    await page.waitForURL(/items\/\d+/);
    await good(page, "execute");
  });

  await t.test("a person of the instance", async () => {
    await visit(page, "/instance/people");
    await page.getByRole("main").getByRole("link", { name: OWNER.name }).first().click();
    await page.waitForURL(/\/instance\/people\/[^/]+$/);
    await good(page, "person");
  });

  await t.test("what a refused form says", async () => {
    await visit(page, "/projects/new");
    await page.getByRole("textbox", { name: /^name/i }).fill("The same key");
    await page.getByRole("textbox", { name: /^key/i }).fill("SHOP");
    await page.getByRole("button", { name: /create the project/i }).click();
    await page.locator(".error").first().waitFor();
    await good(page, "refused");
  });

  await t.test("the palette and the keys of a page", async () => {
    await visit(page, "/p/SHOP/runs/1");
    await page.keyboard.press("Control+k");
    await page.locator("dialog#palette").waitFor();
    await inspect(page, "palette");
    await page.keyboard.press("Escape");
    await page.locator("dialog#palette").waitFor({ state: "hidden" });
    await page.keyboard.press("?");
    await page.locator("dialog#keys").waitFor();
    await inspect(page, "keys");
  });

  await t.test("a page that is not there says so, in the same frame", async () => {
    await visit(page, "/p/SHOP/cases/9999", 404);
    await good(page, "not-found");
  });

  await t.test("pages for people who have not signed in", async (t) => {
    const stranger = await open(t, instance);
    await visit(stranger, "/signin");
    await good(stranger, "signin");
    await stranger.getByLabel(/e-?mail/i).fill(OWNER.email);
    await stranger.getByLabel(/passphrase/i).fill("not-the-passphrase-at-all");
    await stranger.getByRole("button", { name: /continue/i }).click();
    await stranger.locator(".notice").waitFor();
    await good(stranger, "signin-refused");
    await stranger.getByLabel(/e-?mail/i).fill(OWNER.email);
    await stranger.getByLabel(/passphrase/i).fill(OWNER.passphrase);
    await stranger.getByRole("button", { name: /continue/i }).click();
    await stranger.waitForURL(/signin\/code/);
    await good(stranger, "signin-code");
    await visit(stranger, "/signin/recovery");
    await good(stranger, "signin-recovery");
    await visit(stranger, "/p/SHOP/runs");
    assert.match(stranger.url(), /\/signin/, "a stranger is led to the sign-in");
  });
});
