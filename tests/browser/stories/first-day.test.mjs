// The first day: from an empty folder to a restored instance that is equal to the one it was taken from.
import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { closeBrowser, folder, inspect, mustRun, open, start, visit } from "../lib.mjs";
import { claim, createProject, enrol, keepKit, kit as readKit, report, signIn, upload } from "../walk.mjs";

after(closeBrowser);

test("the first day, from the set-up link to a restored instance", async (t) => {
  const instance = await start(t);
  const page = await open(t, instance);
  let kit, authenticator;

  await t.test("the link claims the instance", async () => {
    await claim(page, instance);
    await inspect(page, "enrol");
  });

  await t.test("the second factor is set up with a picture and a code; codes and kit are shown once", async () => {
    const enrolled = await enrol(page);
    authenticator = enrolled.authenticator;
    assert.equal(enrolled.codes.length, 10, "ten recovery codes");
    kit = await readKit(page);
    await inspect(page, "codes-and-kit");
    await keepKit(page);
  });

  await t.test("the link is worth nothing a second time", async (t) => {
    const stranger = await open(t, instance);
    const answer = await stranger.goto(instance.setupUrl);
    assert.ok(answer.status() >= 400, `the link answered ${answer.status()}`);
  });

  await t.test("a project is made and a report uploaded; the run shows its failures first", async () => {
    await createProject(page, "SHOP", "Web shop");
    await upload(page, "SHOP", ["checkout.xml", "account.xml"], "Nightly regression");
    await visit(page, "/p/SHOP/runs/1");
    await page.getByRole("heading", { level: 1, name: /Nightly regression/ }).waitFor();
    const text = await page.getByRole("main").innerText();
    for (const figure of [/5\s+passed/, /2\s+failed/, /1\s+errored/, /1\s+skipped/]) assert.match(text, figure);
    assert.match(text, /stayed disabled for 30 s/);
    await inspect(page, "run");
  });

  await t.test("a case is written and executed with the keyboard alone", async () => {
    await visit(page, "/p/SHOP/cases/new");
    await page.getByLabel(/title/i).first().fill("Pay with the keyboard alone");
    await page.getByLabel(/action/i).first().fill("Open the checkout and press Tab until **Pay** has the focus.");
    await page.getByLabel(/expect/i).first().fill("A ring shows where the focus is.");
    await page.getByRole("button", { name: /save|create/i }).first().click();
    await page.waitForURL(/\/p\/SHOP\/cases\/\d+$/);
    await inspect(page, "case");

    await visit(page, "/p/SHOP/runs/new");
    await page.getByLabel(/title/i).first().fill("Acceptance 4.8");
    await page.getByRole("button", { name: /start|create/i }).first().click();
    await page.waitForURL(/\/p\/SHOP\/runs\/2/);
    await page.getByRole("link", { name: /execute|next/i }).first().click();
    await page.waitForURL(/\/runs\/2\/items\/\d+/);
    await inspect(page, "execute");
    for (const key of ["p", "f", "b", "s"]) {
      const at = page.url();
      await page.keyboard.press(key);
      if (key === "f") {
        await page.getByLabel(/comment/i).first().fill("The ring is missing on the second field.");
        await page.locator("input[type=file]").first().setInputFiles(report("pay-button-grey.png"));
        await page.getByLabel(/comment/i).first().blur();
      }
      await page.locator("body").press("n");
      await page.waitForURL((url) => url.href !== at);
    }
    await visit(page, "/p/SHOP/runs/2");
    const text = await page.getByRole("main").innerText();
    for (const figure of [/1\s+passed/, /1\s+failed/, /1\s+blocked/, /1\s+skipped/]) assert.match(text, figure);
  });

  await t.test("a second sign-in takes passphrase and code", async (t) => {
    const other = await open(t, instance);
    await signIn(other, authenticator);
    await visit(other, "/p/SHOP");
    await inspect(other, "project");
  });

  await t.test("backup, proof, and a restore with the kit that is equal", async (t) => {
    const place = folder(t);
    const [target, restored, kitFile] = [join(place, "keep"), join(place, "restored"), join(place, "kit.txt")];
    writeFileSync(kitFile, `${kit}\n`, { mode: 0o600 });
    await mustRun(["backup", "--data", instance.data, "--to", target]);
    await mustRun(["verify", "--data", instance.data, "--from", target]);
    const before = await mustRun(["digest", "--data", instance.data]);
    assert.equal(await instance.stop(), 0, "a stopped instance ends well");
    await mustRun(["restore", "--from", target, "--into", restored, "--kit-file", kitFile]);
    assert.ok(existsSync(join(restored, "testkeep.db")));
    const after = await mustRun(["digest", "--data", restored]);
    assert.equal(after, before, "the restored instance is equal");
    await mustRun(["audit", "verify", "--data", restored]);
  });
});
