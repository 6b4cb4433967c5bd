// The first day: from an empty folder to a restored instance that is equal to the one it was taken from.
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { closeBrowser, folder, inspect, mustRun, open, run, start, visit } from "../lib.mjs";
import { OWNER, claim, createProject, enrol, figures, keepKit, kit as readKit, report, signIn, upload } from "../walk.mjs";

after(closeBrowser);

/** Files as four kinds of pipeline write them. */
const SAMPLES = ["surefire", "pytest", "playwright", "nextest"].map((name) => `junit/${name}.xml`);

test("the first day, from the set-up link to a restored instance", async (t) => {
  const instance = await start(t);
  const page = await open(t, instance);
  let kit, authenticator;

  await t.test("the link claims the instance", async () => {
    await claim(page, instance);
    await inspect(page, "factor");
  });

  await t.test("the second factor is set up with a picture and a code; codes and kit are shown once", async () => {
    const enrolled = await enrol(page);
    authenticator = enrolled.authenticator;
    assert.equal(new Set(enrolled.codes).size, 10, "ten recovery codes");
    kit = await readKit(page);
    await inspect(page, "codes-and-kit");
    await keepKit(page);
    await page.goto("/setup/factor");
    assert.doesNotMatch(await page.locator("body").innerText(), new RegExp(kit.slice(0, 9)), "the kit is shown once");
  });

  await t.test("the link is worth nothing a second time", async (t) => {
    const stranger = await open(t, instance);
    const answer = await stranger.goto(instance.setupUrl);
    assert.ok(answer.status() >= 400, `the link answered ${answer.status()}`);
  });

  await t.test("a project is made and a report uploaded; the run shows its failures first", async () => {
    await createProject(page, "SHOP", "Web shop");
    await upload(page, "SHOP", ["checkout.xml", "account.xml"], "Nightly regression");
    assert.deepEqual(await figures(page), { passed: 5, failed: 2, errored: 1, skipped: 1 });
    const items = await page.locator(".items-table a[data-open]").allInnerTexts();
    assert.equal(items.length, 9);
    const failures = items.slice(0, 3).join("\n");
    for (const title of [/a saved card pays/, /a gift card pays the rest/, /the basket survives/]) assert.match(failures, title);
    await page.getByRole("link", { name: /a saved card pays/ }).click();
    const opened = page.locator("aside.opened");
    await opened.waitFor();
    assert.match(await opened.innerText(), /stayed disabled for 30 s/);
    assert.match(await opened.innerText(), /checkout\.ts:88/);
    await inspect(page, "run");
  });

  await t.test("files of four kinds of pipeline become one run", async () => {
    await upload(page, "SHOP", SAMPLES, "Every pipeline");
    assert.deepEqual(await figures(page), { passed: 6, failed: 3, errored: 3, skipped: 3 });
    await inspect(page, "run-of-pipelines");
  });

  await t.test("a case is written by hand", async () => {
    await visit(page, "/p/SHOP/cases/new");
    await page.getByRole("textbox", { name: /^title/i }).fill("Pay with the keyboard alone");
    await page.getByRole("textbox", { name: /action/i }).first().fill("Open the checkout and press Tab until **Pay** has the focus.");
    await page.getByRole("textbox", { name: /expected/i }).first().fill("A ring shows where the focus is.");
    await page.getByRole("main").getByRole("button", { name: /write the case/i }).click();
    await page.waitForURL(/\/p\/SHOP\/cases\/\d+/);
    const text = await page.getByRole("main").innerText();
    for (const said of [/Pay with the keyboard alone/, /A ring shows where the focus is/]) assert.match(text, said);
    await inspect(page, "case");
  });

  await t.test("it is executed with keys alone, with a comment and evidence, as are others", async () => {
    const number = page.url().match(/cases\/(\d+)/)[1];
    await visit(page, `/p/SHOP/runs/new?case=1&case=2&case=3&case=${number}`);
    await page.getByRole("textbox", { name: /^title/i }).fill("Acceptance 4.8");
    await page.getByRole("button", { name: /start the run/i }).click();
    await page.waitForURL(/\/p\/SHOP\/runs\/3/);
    assert.deepEqual(await figures(page), { untested: 4 });
    await page.keyboard.press("e");
    await page.waitForURL(/\/runs\/3\/items\/\d+/);
    await inspect(page, "execute");
    for (const key of ["p", "f", "b", "s"]) {
      const from = page.url();
      if (key === "f") {
        await page.keyboard.press("c");
        await page.keyboard.type("The ring is missing on the second field.");
        await page.keyboard.press("Escape");
        await page.locator("input[type=file]").first().setInputFiles(report("pay-button-grey.png"));
        await page.getByRole("link", { name: "pay-button-grey.png" }).waitFor();
      }
      await page.keyboard.press(key);
      await page.keyboard.press("n");
      await page.waitForURL((url) => url.href !== from);
      await page.waitForLoadState();
    }
    await visit(page, "/p/SHOP/runs/3");
    assert.deepEqual(await figures(page), { passed: 1, failed: 1, blocked: 1, skipped: 1 });
    await page.locator(".items-table a[data-open]").first().click();
    const opened = page.locator("aside.opened");
    await opened.waitFor();
    assert.match(await opened.innerText(), /The ring is missing on the second field/);
    const evidence = await opened.getByRole("link", { name: "pay-button-grey.png" }).getAttribute("href");
    const answer = await page.request.get(evidence);
    assert.equal(answer.status(), 200);
    assert.equal((await answer.body()).subarray(1, 4).toString(), "PNG");
  });

  await t.test("backup, proof, and a restore with the kit that is equal; people sign in there as before", async (t) => {
    const place = folder(t);
    const [target, restored, kitFile] = [join(place, "keep"), join(place, "restored"), join(place, "kit.txt")];
    writeFileSync(kitFile, `${kit}\n`, { mode: 0o600 });
    await mustRun(["backup", "--data", instance.data, "--to", target]);
    await mustRun(["verify", "--data", instance.data, "--from", target]);
    const before = await mustRun(["digest", "--data", instance.data]);
    assert.equal(await instance.stop(), 0, "a stopped instance ends well");

    writeFileSync(join(place, "wrong.txt"), `${kit.replace(/^..../, kit.startsWith("0000") ? "1111" : "0000")}\n`, { mode: 0o600 });
    const refused = await run(["restore", "--from", target, "--into", restored, "--kit-file", join(place, "wrong.txt")]);
    assert.notEqual(refused.code, 0, "another kit opens nothing");
    assert.ok(!existsSync(restored), "and leaves nothing behind");

    await mustRun(["restore", "--from", target, "--into", restored, "--kit-file", kitFile]);
    assert.ok(existsSync(join(restored, "testkeep.db")));
    const after = await mustRun(["digest", "--data", restored]);
    assert.match(after, /[0-9a-f]{64}/);
    assert.equal(after, before, "the restored instance is equal");
    await mustRun(["audit", "verify", "--data", restored]);

    const second = await start(t, { data: restored });
    const other = await open(t, second);
    await signIn(other, authenticator);
    await visit(other, "/p/SHOP/runs/3");
    assert.deepEqual(await figures(other), { passed: 1, failed: 1, blocked: 1, skipped: 1 });
    assert.match(await other.locator("header.top").innerText(), new RegExp(OWNER.name, "i"));
    await inspect(other, "restored");
  });
});
