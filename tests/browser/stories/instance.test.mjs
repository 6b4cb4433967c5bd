// Keys, trash, holds, maintenance and alarms, by the pages of the instance; and all of it on a phone without script.
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { PHONE, closeBrowser, folder, inspect, noSideScroll, open, start, visit } from "../lib.mjs";
import { addFolder, askBack, moveIn, said } from "../walk.mjs";

after(closeBrowser);

test("keys change hands, what was deleted comes back, and what needs somebody says so", async (t) => {
  const place = folder(t);
  const instance = await start(t, { args: ["--backup-roots", place] });
  const page = await open(t, instance);
  const main = page.getByRole("main");
  await moveIn(page, instance);

  await t.test("all keys are exchanged while the page is open, and it tells when each is done", async () => {
    await visit(page, "/instance/keys");
    await main.getByRole("button", { name: "Exchange", exact: true }).click();
    await main.getByRole("row", { name: /Done Master key/ }).waitFor({ timeout: 60_000 });
    await main.getByRole("row", { name: /Done Database/ }).waitFor({ timeout: 60_000 });
    await visit(page, "/p/SHOP/runs/1");
    await visit(page, "/instance/keys");
    await inspect(page, "keys-exchanged");
  });

  await t.test("shares are shown once, one on each sheet of paper", async () => {
    await main.getByRole("button", { name: /print shares/i }).click();
    const dialog = page.getByRole("dialog");
    await inspect(page, "shares-asked");
    await dialog.getByLabel(/shares to print/i).fill("3");
    await dialog.getByLabel(/open the instance/i).fill("2");
    await dialog.getByRole("button", { name: "Show them" }).click();
    await main.getByRole("heading", { name: "Share 3 of 3" }).waitFor();
    const texts = await main.locator(".kit-key").allInnerTexts();
    assert.equal(new Set(texts).size, 3, "three different shares");
    await page.emulateMedia({ media: "print" });
    const sheets = await page.locator(".sheet").evaluateAll((all) => all.map((sheet) => getComputedStyle(sheet).breakAfter));
    await page.emulateMedia({ media: "screen" });
    assert.deepEqual(sheets, ["page", "page", "page"], "each share has a page of its own");
    await inspect(page, "shares");
    await visit(page, "/instance/keys");
    assert.match(await main.getByRole("row", { name: /^Shares/ }).innerText(), /2 of 3/);
    for (const text of texts) assert.ok(!(await page.content()).includes(text.slice(0, 14)), "a share is shown once");
  });

  await t.test("a project in the trash is brought back by the owner", async () => {
    await visit(page, "/p/SHOP/settings");
    await main.getByRole("button", { name: /delete this project/i }).click();
    await page.getByRole("dialog").getByLabel(/key of the project/i).fill("SHOP");
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.waitForURL((url) => !url.pathname.startsWith("/p/"));
    await visit(page, "/p/SHOP", 404);
    await visit(page, "/instance/storage");
    await inspect(page, "storage-with-trash");
    await main.getByRole("button", { name: "Restore SHOP" }).click();
    await visit(page, "/p/SHOP/cases/1");
  });

  await t.test("a hold is refused without its reason, set, and lifted", async () => {
    await visit(page, "/instance/storage/holds");
    await page.getByLabel("Project").fill("NOPE");
    await page.getByLabel("Reason").fill("A court asked for it on 3 March");
    await page.getByRole("button", { name: "Set the hold" }).click();
    await main.locator(".error").waitFor();
    assert.equal(await page.getByLabel("Reason").inputValue(), "A court asked for it on 3 March");
    await inspect(page, "hold-refused");
    await page.getByLabel("Project").fill("SHOP");
    await page.getByLabel("Run", { exact: true }).fill("SHOP-R1");
    await page.getByRole("button", { name: "Set the hold" }).click();
    await main.getByRole("row", { name: /SHOP-R1 A court asked/ }).waitFor();
    await inspect(page, "hold-in-force");
    await main.getByRole("button", { name: /lift the hold on SHOP-R1/i }).click();
    await main.getByText("No hold is in force.").waitFor();
  });

  await t.test("everything is checked, and the page tells when it is done", async () => {
    await visit(page, "/instance/storage/checks");
    await main.getByRole("button", { name: /check everything/i }).click();
    await main.getByRole("row", { name: /^Good Counts/ }).waitFor({ timeout: 60_000 });
    await main.getByText("A check is being made").waitFor({ state: "detached" });
    await inspect(page, "checked");
  });

  await t.test("a backup that fails raises an alarm on every page, which a good one ends", async () => {
    const target = join(place, "keep");
    writeFileSync(target, "a file where the folder should be");
    await addFolder(page, "Second disk", target);
    await main.getByRole("button", { name: /back up now/i }).click();
    await main.getByText("The last backup failed.").waitFor({ timeout: 60_000 });
    await inspect(page, "target-failed");
    await visit(page, "/p/SHOP/cases");
    await page.getByRole("link", { name: /alarm/ }).click();
    await page.waitForURL(/instance#alarms/);
    assert.match(await main.getByRole("row", { name: /A backup failed: Second disk/ }).innerText(), /Act now/);
    await inspect(page, "overview-with-alarm");
    rmSync(target);
    await visit(page, "/instance/backups");
    await main.getByRole("button", { name: "Back up to Second disk" }).click();
    await main.locator(".status", { hasText: "Verified" }).first().waitFor({ timeout: 60_000 });
    await visit(page, "/instance");
    assert.equal(await main.getByText("A backup failed").count(), 0, "the alarm is over");
  });

  await t.test("an authority is made, a client certificate issued and revoked", async () => {
    await visit(page, "/instance/certificate");
    await main.getByRole("button", { name: "Make an authority" }).click();
    await main.getByRole("link", { name: "Download the root" }).waitFor();
    // The browser meets the new certificate at the next page.
    for (let tries = 0; tries < 40 && (await main.getByText("Own authority").count()) === 0; tries++) {
      await page.waitForTimeout(250);
      await visit(page, "/instance/certificate");
    }
    await page.getByLabel("Whose").fill("Mara's laptop");
    const [download] = await Promise.all([page.waitForEvent("download"), main.getByRole("button", { name: /issue and download/i }).click()]);
    assert.match(download.suggestedFilename(), /\.pem$/);
    await visit(page, "/instance/certificate");
    await inspect(page, "certificate-with-clients");
    await main.getByRole("button", { name: /revoke the certificate of Mara's laptop/i }).click();
    await inspect(page, "certificate-revoking");
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await main.getByRole("row", { name: /Revoked Mara's laptop/ }).waitFor();
  });

  await t.test("people meet a page that says why the instance is closed, and until when", async (t) => {
    await visit(page, "/instance/maintenance");
    await page.getByLabel("Why").fill("New disks are put in.");
    await main.getByRole("button", { name: "Close the instance" }).click();
    await main.getByText("The instance is closed").waitFor();
    await inspect(page, "maintenance-closed");
    const stranger = await open(t, instance);
    await visit(stranger, "/p/SHOP", 503);
    assert.match(await stranger.getByRole("main").innerText(), /Closed for maintenance[\s\S]*New disks are put in\.[\s\S]*\d{4}, \d\d:\d\d UTC/);
    await inspect(stranger, "closed-for-maintenance");
    await visit(page, "/instance/maintenance");
    await main.getByRole("button", { name: "Open it again" }).click();
    await said(page, /open again/);
    await visit(page, "/p/SHOP");
  });
});

test("on a phone without script the same ways are open", async (t) => {
  const place = folder(t);
  const instance = await start(t, { args: ["--backup-roots", place] });
  const page = await open(t, instance, { width: PHONE, script: false });
  const main = page.getByRole("main");
  await moveIn(page, instance);
  /** Looks again until the page says it. */
  const until = async (path, words) => {
    for (let tries = 0; tries < 120; tries++) {
      await visit(page, path);
      if (words.test(await main.innerText())) return noSideScroll(page, path);
      await page.waitForTimeout(500);
    }
    assert.fail(`${path} never said ${words}`);
  };

  await t.test("a target, a backup and a drill", async () => {
    await addFolder(page, "Second disk", join(place, "keep"));
    await noSideScroll(page, "target");
    await main.getByRole("button", { name: "Test it" }).click();
    await said(page, /written, listed, read and deleted/);
    await main.getByRole("button", { name: /back up now/i }).click();
    await until("/instance/backups", /Verified/);
    await visit(page, "/instance/backups/drills");
    await main.getByRole("button", { name: /hold a drill/i }).click();
    await until("/instance/backups/drills", /What was proven/);
  });

  await t.test("a case out of the trash by a restore, under its reference", async () => {
    await visit(page, "/p/SHOP/cases/1");
    await main.getByRole("button", { name: "Trash" }).click();
    await askBack(page, "SHOP-C1");
    const at = new URL(page.url()).pathname;
    await until(at, /Different now/);
    await main.getByRole("button", { name: "Bring it back" }).click();
    await until(at, /It came back/);
    await visit(page, "/p/SHOP/cases/1");
    assert.equal(await main.getByText("In the trash").count(), 0);
  });

  await t.test("keys, a hold and a check", async () => {
    await visit(page, "/instance/keys");
    await noSideScroll(page, "keys");
    await main.getByRole("button", { name: "Exchange" }).click();
    await until("/instance/keys", /Done\s+Master key/);
    await visit(page, "/instance/storage/holds");
    await page.getByLabel("Project").fill("SHOP");
    await page.getByLabel("Reason").fill("A court asked for it on 3 March");
    await page.getByRole("button", { name: "Set the hold" }).click();
    await main.getByRole("button", { name: /lift the hold on SHOP/i }).click();
    await visit(page, "/instance/storage/checks");
    await main.getByRole("button", { name: /check everything/i }).click();
    await until("/instance/storage/checks", /Nothing is known to be damaged/);
  });
});
