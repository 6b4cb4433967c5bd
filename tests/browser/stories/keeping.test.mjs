// What is backed up comes back: a target, a backup that is read back, a drill; three days later a case is deleted
// for good by a rule, and comes out of the backup under the reference it had. By the pages alone.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { join } from "node:path";
import test, { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { closeBrowser, folder, inspect, open, start, visit } from "../lib.mjs";
import { addFolder, askBack, moveIn, said, signIn } from "../walk.mjs";

after(closeBrowser);

const DAYS = -3;

test("C1 C13: a backup is made, verified and proven; what is deleted for good comes back from it", async (t) => {
  const place = folder(t);
  // The sandbox does not know the library that sets the clock back.
  const before = await start(t, { data: join(place, "data"), args: ["--sandbox", "off"], days: DAYS });
  const page = await open(t, before);
  const main = page.getByRole("main");
  const { authenticator } = await moveIn(page, before, DAYS);
  // One that no run holds: what runs tell of stays as long as they do.
  await visit(page, "/p/SHOP/cases/new");
  const title = "Pay with the keyboard alone";
  await page.getByRole("textbox", { name: /^title/i }).fill(title);
  await page.getByRole("textbox", { name: /action/i }).first().fill("Open the checkout and press Tab until **Pay** has the focus.");
  await main.getByRole("button", { name: /write the case/i }).click();
  await page.waitForURL(/\/cases\/\d+$/);
  const number = page.url().match(/cases\/(\d+)$/)[1];

  await t.test("nothing is protected, and the page leads to a target", async () => {
    await visit(page, "/instance/backups");
    assert.match(await main.innerText(), /Not protected/);
    await main.getByRole("link", { name: "Add a target", exact: true }).click();
    await page.waitForURL(/targets\/new/);
  });

  await t.test("a target that does not do is told at its field, and keeps what was typed", async () => {
    await page.getByLabel("Folder", { exact: true }).fill("keep/here");
    await page.getByLabel("Name", { exact: true }).fill("Second disk");
    await page.getByLabel("Schedule", { exact: true }).fill("every night");
    await page.getByRole("button", { name: "Add the target" }).click();
    await main.locator(".error").first().waitFor();
    const wrong = page.getByLabel("Schedule", { exact: true });
    assert.equal(await wrong.inputValue(), "every night");
    assert.equal(await wrong.getAttribute("aria-invalid"), "true");
    assert.equal(await page.getByLabel("Folder", { exact: true }).inputValue(), "keep/here");
    assert.ok(await page.evaluate(() => document.activeElement.matches('[aria-invalid="true"]')), "the focus is where to go on");
    await inspect(page, "target-refused");
  });

  await t.test("it is added and tested: written, listed, read and deleted", async () => {
    await addFolder(page, "Second disk", join(place, "keep"));
    await inspect(page, "target-new-one");
    await main.getByRole("button", { name: "Test it" }).click();
    await said(page, /written, listed, read and deleted/);
  });

  await t.test("one button makes a backup, and the page tells when it was read back, without being loaded again", async () => {
    await visit(page, "/instance/backups");
    await Promise.all([page.waitForEvent("load"), page.keyboard.press("b")]);
    await page.evaluate(() => { window.isSame = true; });
    await main.getByRole("cell", { name: "Verified" }).waitFor({ timeout: 60_000 });
    assert.ok(await page.evaluate(() => window.isSame), "the page was loaded again");
    const row = main.getByRole("row", { name: /Good/ });
    assert.match(await row.innerText(), /Second disk[\s\S]*By hand[\s\S]*MB|kB/);
    assert.equal(await main.getByRole("button", { name: /^Stop/ }).count(), 0, "nothing runs any more");
    await inspect(page, "backups-verified");
    await main.getByRole("link", { name: "Second disk", exact: true }).click();
    await main.getByText("1 of 1 backup there stay").waitFor();
    await inspect(page, "target-with-backup");
  });

  await t.test("a drill brings it back beside the instance and leaves a signed record", async () => {
    await visit(page, "/instance/backups");
    await page.getByRole("link", { name: "Drills", exact: true }).click();
    await main.getByRole("button", { name: /hold a drill/i }).click();
    await main.getByRole("heading", { name: "What was proven" }).waitFor({ timeout: 60_000 });
    for (const check of ["Files", "Database", "Audit trail", "Rows", "Evidence", "Digest"]) {
      assert.equal(await main.getByRole("rowheader", { name: new RegExp(`^${check}`) }).count(), 1, check);
    }
    const record = await page.request.get(await main.getByRole("link", { name: "Signed record" }).getAttribute("href"));
    assert.equal(record.status(), 200);
    assert.match(await record.text(), /signature/);
    await inspect(page, "drill-held");
  });

  await t.test("a case is changed, another goes into the trash", async () => {
    await visit(page, `/p/SHOP/cases/${number}`);
    await main.getByRole("button", { name: "Trash" }).click();
    await page.waitForURL(/trashed=/);
    await visit(page, "/p/SHOP/cases/2/edit");
    await page.getByRole("textbox", { name: /^title/i }).fill("Spoilt by a slip");
    await main.getByRole("button", { name: /save revision/i }).click();
    await page.waitForURL(/cases\/2$/);
    await visit(page, "/p/SHOP/trash");
    await inspect(page, "trash-with-case");
  });
  assert.equal(await before.stop(), 0);

  const now = await start(t, { data: join(place, "data"), args: ["--backup-roots", place] });
  const later = await open(t, now);
  const pane = later.getByRole("main");
  authenticator.days = 0;
  await signIn(later, authenticator);

  await t.test("three days later a rule is tried, run, and leaves a certificate", async () => {
    await visit(later, "/instance/storage/retention");
    assert.match(await pane.innerText(), /Nothing is past its retention/);
    await later.getByLabel("Days").fill("soon");
    await later.getByRole("button", { name: "Save the rule" }).click();
    await pane.locator(".error").waitFor();
    assert.equal(await later.getByLabel("Days").inputValue(), "soon");
    await inspect(later, "retention-refused");
    await later.getByLabel("Days").fill("2");
    await later.getByRole("button", { name: "Save the rule" }).click();
    await said(later, /the rule is saved/i);
    assert.match(await pane.locator("tr", { hasText: "1 case" }).innerText(), /Trash[\s\S]*Every project without its own/);
    await visit(later, `/p/SHOP/cases/${number}`);
    await visit(later, "/instance/storage/retention");
    await pane.getByRole("button", { name: "Delete now" }).click();
    await inspect(later, "retention-asks");
    await later.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await later.waitForURL(/storage\/certificates/);
    const line = pane.getByRole("row", { name: /Trash/ });
    assert.match(await line.innerText(), /Done/);
    await inspect(later, "deletions");
    const certificate = await later.request.get(await line.getByRole("link").getAttribute("href"));
    assert.match(await certificate.text(), /signature/);
    await visit(later, `/p/SHOP/cases/${number}`, 404);
  });

  await t.test("the backup shows what differs from the present, and changes nothing by being looked at", async () => {
    await askBack(later, "SHOP-C2");
    await pane.locator(".diff").first().waitFor({ timeout: 60_000 });
    assert.match(await pane.locator(".diff del").first().innerText(), /Spoilt by a slip/);
    await inspect(later, "restore-differs");
    await visit(later, "/p/SHOP/cases/2");
    assert.match(await pane.innerText(), /Spoilt by a slip/);
  });

  await t.test("the deleted case comes back under its reference, with what it held", async () => {
    await askBack(later, `SHOP-C${number}`);
    await pane.getByRole("heading", { name: /^Missing/ }).waitFor({ timeout: 60_000 });
    assert.match(await pane.innerText(), new RegExp(`Missing[\\s\\S]*SHOP-C${number}`));
    await inspect(later, "restore-missing");
    await pane.getByRole("button", { name: "Bring it back" }).click();
    await pane.getByText("It came back").waitFor({ timeout: 60_000 });
    await inspect(later, "restore-done");
    await visit(later, `/p/SHOP/cases/${number}`);
    assert.equal(await pane.getByRole("heading", { level: 1 }).innerText(), title);
    assert.match(await pane.innerText(), /press Tab until Pay has the focus/);
    assert.equal(await pane.getByText("In the trash").count(), 0, "it is not in the trash");
  });

  await t.test("what it names it does not know is said, and the whole instance can be compared", async () => {
    await askBack(later, "SHOP-C999");
    await pane.getByText("That did not work").waitFor({ timeout: 60_000 });
    await inspect(later, "restore-failed");
    await visit(later, "/instance/backups/whole?backup=1");
    await pane.getByRole("rowheader", { name: "Cases", exact: true }).waitFor();
    await inspect(later, "restore-whole-compared");
  });
});

/** A port that nobody listens on. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** By the clock of this machine, as a field for date and time takes it. */
const typed = (at) => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

test("B05 C13: a slip is undone by going back to the moment before it", async (t) => {
  const place = folder(t);
  const instance = await start(t, { data: join(place, "data"), args: ["--backup-roots", place], port: await freePort() });
  const page = await open(t, instance);
  const main = page.getByRole("main");
  const { authenticator } = await moveIn(page, instance);
  await visit(page, "/p/SHOP/cases/2");
  const title = await main.getByRole("heading", { level: 1 }).innerText();
  await addFolder(page, "Second disk", join(place, "keep"));

  await t.test("the log is shipped, and a page says how far it is", async () => {
    await visit(page, "/instance/backups/log");
    await page.getByLabel(/ship the log/i).check();
    await page.getByLabel("Seconds between two shipments").fill("1");
    await main.getByRole("button", { name: "Save" }).click();
    await said(page, /the log is shipped/i);
    for (let tries = 0; tries < 60 && !/Following/.test(await main.innerText()); tries++) {
      await pause(500);
      await visit(page, "/instance/backups/log");
    }
    await inspect(page, "log-following");
  });

  await pause(2_000);
  const before = new Date();
  await pause(2_000);
  await visit(page, "/p/SHOP/cases/2/edit");
  await page.getByRole("textbox", { name: /^title/i }).fill("Spoilt by a slip");
  await main.getByRole("button", { name: /save revision/i }).click();
  await page.waitForURL(/cases\/2$/);

  await t.test("the page says which moments there are, and refuses others where they are typed", async () => {
    await visit(page, "/instance/backups/log");
    await main.getByRole("link", { name: "From Second disk" }).click();
    const field = page.getByLabel("Moment", { exact: true });
    for (let tries = 0; tries < 30 && await field.inputValue() <= typed(before); tries++) {
      await pause(500);
      await page.reload();
    }
    assert.match(await main.innerText(), /By the clock of [\s\S]+From \d{4}-/);
    await inspect(page, "restore-moments");
    await field.fill("2020-01-01T00:00:01");
    await main.getByRole("button", { name: "Compare with the present" }).click();
    await main.locator(".error").waitFor();
    assert.match(await main.locator(".error").innerText(), /cannot be had here/);
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    await inspect(page, "restore-moment-refused");
  });

  await t.test("it shows what would be lost, and wants the name of the instance", async () => {
    await page.getByLabel("Moment", { exact: true }).fill(typed(before));
    await main.getByRole("button", { name: "Compare with the present" }).click();
    await main.getByRole("columnheader", { name: "Made since, and lost" }).waitFor();
    assert.match(await main.getByRole("row", { name: /Revisions of cases/ }).innerText(), /1$/);
    await inspect(page, "restore-moment");
    await page.getByLabel("Name of this instance").fill("Another");
    await main.getByRole("button", { name: "Bring the whole instance back" }).click();
    await main.locator(".error").waitFor();
    assert.equal(await page.getByLabel("Moment", { exact: true }).inputValue(), typed(before), "the moment stays");
  });

  await t.test("the instance starts again by itself as it was then", async () => {
    const asked = await main.getByText(/to show that you mean it|Type the name of this instance/).innerText();
    const name = asked.match(/(?:Type|instance:) (?!the name)(.+?)(?: to show that you mean it\.)?$/)[1];
    await page.getByLabel("Name of this instance").fill(name);
    await main.getByRole("button", { name: "Bring the whole instance back" }).click();
    await page.waitForURL(/signin/, { timeout: 90_000 });
    // While it started again, and once nobody was signed in any more, the page heard nothing good.
    page.complaints.length = 0;
    await signIn(page, authenticator);
    await visit(page, "/p/SHOP/cases/2");
    assert.equal(await main.getByRole("heading", { level: 1 }).innerText(), title);
    await visit(page, "/instance/backups/whole");
    assert.match(await main.innerText(), /A backup was brought back/);
    await inspect(page, "restore-put-aside");
  });
});
