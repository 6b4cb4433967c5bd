// Every page: no violation of axe in light and dark, nothing asked elsewhere, no scrolling sideways on a phone.
import assert from "node:assert/strict";
import test, { after } from "node:test";
import { closeBrowser, inspect, open, start, visit } from "../lib.mjs";
import { PAGES, moveIn } from "../walk.mjs";

after(closeBrowser);

test("every page keeps what pages promise", async (t) => {
  const instance = await start(t);
  const page = await open(t, instance);
  await moveIn(page, instance);

  for (const [name, path] of Object.entries(PAGES)) {
    await t.test(`${name}: ${path}`, async () => {
      await visit(page, path);
      assert.equal(await page.getByRole("heading", { level: 1 }).count(), 1, "one heading of the first level");
      await inspect(page, name);
    });
  }

  await t.test("a page that is not there says so, in the same frame", async () => {
    await visit(page, "/p/SHOP/cases/9999", 404);
    await inspect(page, "not-found");
  });

  await t.test("pages for people who have not signed in", async (t) => {
    const stranger = await open(t, instance);
    await visit(stranger, "/signin");
    await inspect(stranger, "signin");
    await visit(stranger, "/p/SHOP/cases");
    assert.match(stranger.url(), /\/signin/, "a stranger is led to the sign-in");
  });
});
