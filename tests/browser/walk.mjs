// What people do on the pages, one function each. Finds things as a person does: by label, role and name.
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Authenticator, visit } from "./lib.mjs";

const data = fileURLToPath(new URL("data/", import.meta.url));
export const report = (name) => join(data, name);

/** Every page of an instance with one project, for whoever walks them all. */
export const PAGES = {
  projects: "/",
  "new-project": "/projects/new",
  project: "/p/SHOP",
  cases: "/p/SHOP/cases",
  case: "/p/SHOP/cases/1",
  "edit-case": "/p/SHOP/cases/1/edit",
  "new-case": "/p/SHOP/cases/new",
  runs: "/p/SHOP/runs",
  run: "/p/SHOP/runs/1",
  upload: "/p/SHOP/upload",
  members: "/p/SHOP/members",
  "project-audit": "/p/SHOP/audit",
  settings: "/p/SHOP/settings",
  instance: "/instance",
  people: "/instance/people",
  backups: "/instance/backups",
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

/** Sets up the second factor. Answers the authenticator and the recovery codes. */
export async function enrol(page) {
  await page.locator("svg[role=img], img").first().waitFor();
  const secret = (await page.locator("[data-secret], .secret").first().innerText()).replace(/\s/g, "");
  const authenticator = new Authenticator(secret);
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
  await page.getByLabel(/^key/i).fill(key);
  await page.getByLabel(/^name/i).fill(name);
  await press(page, /create/i);
  await page.waitForURL(`**/p/${key}`);
}

/** Uploads report files on the page for it; ends on the run. */
export async function upload(page, project, files, title) {
  await visit(page, `/p/${project}/upload`);
  await page.locator("input[type=file]").setInputFiles(files.map(report));
  if (title) await page.getByLabel(/run|title/i).first().fill(title);
  await press(page, /upload/i);
  await page.waitForURL(new RegExp(`/p/${project}/(runs|uploads)/\\d+`));
}

/** From nothing to a signed-in owner with a project that holds one run. For stories that begin later. */
export async function moveIn(page, instance) {
  await claim(page, instance);
  const { authenticator, codes } = await enrol(page);
  const printed = await kit(page);
  await keepKit(page);
  await createProject(page, "SHOP", "Web shop");
  await upload(page, "SHOP", ["checkout.xml", "account.xml"], "Nightly regression");
  return { kit: printed, authenticator, codes };
}
