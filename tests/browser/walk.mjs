// What people do on the pages, one function each. Finds things as a person does: by label, role and name.
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Authenticator, visit } from "./lib.mjs";

const data = fileURLToPath(new URL("data/", import.meta.url));
/** One of our own files: `checkout.xml` of these stories, or `junit/jest.xml` of the samples of the parsers. */
export const report = (name) => (name.startsWith("junit/") ? join(data, "../../data", name) : join(data, name));

/** Pages of an instance into which `moveIn` has moved. The item and the case are those of the upload. */
export const PAGES = {
  projects: "/",
  "new-project": "/projects/new",
  project: "/p/SHOP",
  cases: "/p/SHOP/cases",
  "cases-found": "/p/SHOP/cases?q=card",
  case: "/p/SHOP/cases/2",
  "edit-case": "/p/SHOP/cases/2/edit",
  "case-history": "/p/SHOP/cases/2/history",
  "case-results": "/p/SHOP/cases/2/results",
  "new-case": "/p/SHOP/cases/new",
  runs: "/p/SHOP/runs",
  "new-run": "/p/SHOP/runs/new",
  run: "/p/SHOP/runs/1",
  "run-failures": "/p/SHOP/runs/1?status=failures",
  "run-by-suite": "/p/SHOP/runs/1?group=suite",
  "run-by-message": "/p/SHOP/runs/1?group=message",
  upload: "/p/SHOP/upload",
  members: "/p/SHOP/members",
  trash: "/p/SHOP/trash",
  "project-audit": "/p/SHOP/audit",
  settings: "/p/SHOP/settings",
  instance: "/instance",
  people: "/instance/people",
  "new-person": "/instance/people/new",
  backups: "/instance/backups",
  "target-folder": "/instance/backups/targets/new",
  "target-sftp": "/instance/backups/targets/new?kind=sftp",
  "target-s3": "/instance/backups/targets/new?kind=s3",
  "target-webdav": "/instance/backups/targets/new?kind=webdav",
  drills: "/instance/backups/drills",
  restore: "/instance/backups/restore",
  "restore-whole": "/instance/backups/whole",
  "point-in-time": "/instance/backups/log",
  runbook: "/instance/backups/runbook",
  "instance-keys": "/instance/keys",
  certificate: "/instance/certificate",
  maintenance: "/instance/maintenance",
  storage: "/instance/storage",
  checks: "/instance/storage/checks",
  retention: "/instance/storage/retention",
  holds: "/instance/storage/holds",
  deletions: "/instance/storage/certificates",
  audit: "/instance/audit",
  account: "/account",
  api: "/api",
};

export const OWNER = { name: "Ada Owner", email: "ada@shop.example", passphrase: "kettle-orbit-walnut-copper-73" };

/** A button of this name; every form has one that sends it. */
const press = (page, name) => page.getByRole("button", { name }).first().click();

/** Opens the set-up link and claims the instance; ends where the second factor is set up. */
export async function claim(page, instance, who = OWNER) {
  assert.ok(instance.setupUrl, `no set-up link was printed:\n${instance.said}`);
  await visit(page, instance.setupUrl);
  await press(page, /continue/i);
  await page.getByLabel(/name/i).first().fill(who.name);
  await page.getByLabel(/e-?mail/i).fill(who.email);
  for (const field of await page.locator("input[type=password]").all()) await field.fill(who.passphrase);
  await press(page, /claim|continue|create/i);
  await page.waitForURL(/setup\/factor/);
}

/** The fifteen groups of the kit as they are printed. */
export async function kit(page) {
  const text = await page.locator(".kit-key").innerText();
  const groups = text.match(/\b[0-9A-Z]{4}\b/g) ?? [];
  assert.equal(groups.length, 15, `the kit shows ${groups.length} groups: ${text}`);
  return groups.join("-");
}

/** Says that codes and kit are kept, and goes on. */
export const keepKit = (page) => page.getByRole("link", { name: /continue/i }).first().click();

/** Sets up the second factor, on a day counted from today. Answers the authenticator and the recovery codes. */
export async function enrol(page, days = 0) {
  await page.locator("svg[role=img], img").first().waitFor();
  const secret = (await page.locator("[data-secret], .secret").first().innerText()).replace(/\s/g, "");
  const authenticator = new Authenticator(secret);
  authenticator.days = days;
  await page.getByLabel(/code/i).fill(await authenticator.code());
  await press(page, /continue|confirm/i);
  await page.locator(".codes li").first().waitFor();
  const codes = await page.locator(".codes li").allInnerTexts();
  return { authenticator, codes };
}

/** Signs in with passphrase and code. */
export async function signIn(page, authenticator, who = OWNER) {
  await visit(page, "/signin");
  await page.getByLabel(/e-?mail/i).fill(who.email);
  await page.getByLabel(/passphrase/i).fill(who.passphrase);
  await press(page, /continue|sign in/i);
  await page.getByLabel(/code/i).fill(await authenticator.code());
  await press(page, /continue|sign in/i);
  await page.getByRole("heading", { level: 1 }).waitFor();
}

/** Makes a project. */
export async function createProject(page, key, name) {
  await visit(page, "/projects/new");
  await page.getByRole("textbox", { name: /^name/i }).fill(name);
  await page.getByRole("textbox", { name: /^key/i }).fill(key);
  await press(page, /create the project/i);
  await page.waitForURL(`**/p/${key}`);
}

/** Uploads report files on the page for it; ends on the run, whose title is `title`. */
export async function upload(page, project, files, title) {
  await visit(page, `/p/${project}/upload`);
  await page.locator("input[type=file]").setInputFiles(files.map(report));
  await page.getByRole("textbox", { name: /^run/i }).fill(title);
  await page.getByRole("main").getByRole("button", { name: /upload/i }).click();
  await page.waitForURL(new RegExp(`/p/${project}/runs/\\d+`));
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
}

/** The figures that a run shows below its tally, such as { passed: 5, failed: 3 }. */
export async function figures(page) {
  const lines = await page.locator("ul.legend").first().locator("li").allInnerTexts();
  return Object.fromEntries(lines.map((line) => line.trim().split(/\s+/)).map(([count, word]) => [word, Number(count.replace(",", ""))]));
}

/** From nothing to a signed-in owner with a project that holds one run. For stories that begin later. */
export async function moveIn(page, instance, days = 0) {
  await claim(page, instance);
  const { authenticator, codes } = await enrol(page, days);
  const printed = await kit(page);
  await keepKit(page);
  await createProject(page, "SHOP", "Web shop");
  await upload(page, "SHOP", ["checkout.xml", "account.xml"], "Nightly regression");
  return { kit: printed, authenticator, codes };
}

/** What the page said at its foot, and no more of it. */
export async function said(page, words) {
  const toast = page.locator(".toast");
  await toast.getByText(words).waitFor();
}

/** Adds a folder as a target whose schedule is a day that rarely comes; ends on its page. */
export async function addFolder(page, name, path) {
  await visit(page, "/instance/backups/targets/new");
  await page.getByLabel("Folder", { exact: true }).fill(path);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Schedule", { exact: true }).fill("0 3 29 2 *");
  await press(page, "Add the target");
  await page.getByRole("heading", { level: 1, name }).waitFor();
  await said(page, /the target is added/i);
}

/** Asks for what a case, a run or a project was in a backup; ends on the comparison. */
export async function askBack(page, what, backup = "1") {
  await visit(page, "/instance/backups/restore");
  // Without a script nobody asks the target but the reader.
  const answer = page.getByRole("link", { name: "Wait for its answer" });
  if (await answer.isVisible()) await answer.click();
  await page.getByLabel("What", { exact: true }).fill(what);
  await page.locator("select[name=backup]").first().selectOption(backup);
  await press(page, /show what would come back/i);
  await page.getByRole("heading", { level: 1, name: `Restore ${what}` }).waitFor();
}
