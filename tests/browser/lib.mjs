// What the stories share: a real instance on a temporary folder, a real browser, and the questions every page must answer.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = dirname(fileURLToPath(import.meta.url));
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The program under test. */
export const program = process.env.TESTKEEP_BIN ?? join(here, "../../target/debug/testkeep");
const chromiumPath = process.env.TESTKEEP_CHROMIUM || "/usr/bin/chromium";

export const WIDE = 1280;
export const PHONE = 390;

const START_MS_MAX = 60_000;

// ---------------------------------------------------------------- the instance

/** Runs the program and answers { code, out, err }. `input` goes to its standard input, never to its arguments. */
export function run(args, { input = "", env = {}, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: "pipe" });
    let out = "", err = "";
    child.stdout.on("data", (piece) => { out += piece; });
    child.stderr.on("data", (piece) => { err += piece; });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
    child.stdin.on("error", () => {}); // It may have ended without reading.
    child.stdin.end(input);
  });
}

/** The same, and fails the story unless the program ends well. */
export async function mustRun(args, options) {
  const ended = await run(args, options);
  assert.equal(ended.code, 0, `testkeep ${args.join(" ")} ended with ${ended.code}\n${ended.out}${ended.err}`);
  return ended.out;
}

/** A temporary folder that is gone when the story ends. */
export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "testkeep-story-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** What makes a program believe that it is another day: Debian's libfaketime. Waiting takes as long as ever. */
function onAnotherDay(days) {
  if (days === 0) return {};
  return { LD_PRELOAD: "/usr/$LIB/faketime/libfaketime.so.1", FAKETIME: `${days}d`, FAKETIME_DONT_FAKE_MONOTONIC: "1" };
}

/**
 * Starts an instance and waits until it has said where it answers. It is stopped when the story ends.
 * `days` is the day on which it believes to be, counted from today. `port` is for one that starts again by itself.
 */
export async function start(t, { data = join(folder(t), "data"), args = [], days = 0, port = 0 } = {}) {
  assert.ok(existsSync(program), `${program} is missing: run cargo build first, or set TESTKEEP_BIN`);
  const env = { ...process.env, ...onAnotherDay(days) };
  const child = spawn(program, ["serve", "--data", data, "--listen", `127.0.0.1:${port}`, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const instance = { data, child, said: "", url: "", setupUrl: "" };
  const hear = (piece) => { instance.said += piece; };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const ended = new Promise((resolve) => child.on("close", resolve));
  instance.stop = async () => {
    if (child.exitCode === null) child.kill("SIGTERM");
    return ended;
  };
  t.after(instance.stop);
  const until = Date.now() + START_MS_MAX;
  while (!instance.url) {
    assert.ok(child.exitCode === null, `testkeep serve ended with ${child.exitCode}:\n${instance.said}`);
    assert.ok(Date.now() < until, `testkeep serve said no address in ${START_MS_MAX} ms:\n${instance.said}`);
    await pause(50);
    // The address is said once it answers; a line counts only when it is complete.
    const whole = instance.said.slice(0, instance.said.lastIndexOf("\n") + 1);
    instance.url = whole.match(/https?:\/\/127\.0\.0\.1:\d+/)?.[0] ?? "";
  }
  instance.setupUrl = await setupUrl(instance);
  return instance;
}

/** The one-time link, which a claimed instance no longer prints. */
async function setupUrl(instance) {
  const link = () => instance.said.match(/https?:\/\/[^\s"]+\/setup[^\s"]*/)?.[0];
  for (let tries = 0; tries < 20 && !link(); tries++) await pause(50);
  return link() ?? "";
}

// ---------------------------------------------------------------- the browser

let launched;

/** The one browser of this process. */
export async function browser() {
  launched ??= chromium.launch({
    executablePath: chromiumPath,
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
  return launched;
}

/** Closes the browser; call it in `after` of each file. */
export async function closeBrowser() {
  await (await launched)?.close();
  launched = undefined;
}

/** A page in a fresh profile. What it asks of other hosts, and what it complains about, is remembered. */
export async function open(t, instance, { width = WIDE, dark = false, script = true, state } = {}) {
  const context = await (await browser()).newContext({
    baseURL: instance.url,
    ignoreHTTPSErrors: true,
    javaScriptEnabled: script,
    viewport: { width, height: 800 },
    colorScheme: dark ? "dark" : "light",
    reducedMotion: "reduce",
    storageState: state,
  });
  t.after(() => context.close());
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.outside = [];
  page.complaints = [];
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (!["data:", "blob:", "about:"].includes(to.protocol) && to.origin !== instance.url) page.outside.push(request.url());
  });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    // A refused form is answered with its status, which the console reports as an error of its own.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) page.complaints.push(message.text());
  });
  return page;
}

/** Goes to a page of the instance and insists on its status. */
export async function visit(page, path, status = 200) {
  const answer = await page.goto(path);
  assert.equal(answer.status(), status, `${path} answered ${answer.status()}`);
  return answer;
}

// ---------------------------------------------------------------- what every page must answer

/** No violation that axe knows of, for WCAG 2.2 AA and best practices. */
export async function axe(page, name) {
  const found = await page.evaluate(async (source) => {
    if (!globalThis.axe) (0, eval)(source);
    const result = await globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      resultTypes: ["violations"],
    });
    return result.violations.map((rule) => ({
      rule: rule.id, help: rule.help, nodes: rule.nodes.slice(0, 5).map((node) => `${node.target.join(" ")}  ${node.html.slice(0, 160)}`),
    }));
  }, axeSource);
  const told = found.map((rule) => `${rule.rule}: ${rule.help}\n    ${rule.nodes.join("\n    ")}`).join("\n  ");
  assert.equal(found.length, 0, `axe on ${name}:\n  ${told}`);
}

/** Nothing was asked of another host, and nothing went wrong in the page: a breach of the CSP shows here too. */
export function calm(page, name) {
  assert.deepEqual(page.outside, [], `${name} asked other hosts`);
  assert.deepEqual(page.complaints, [], `${name} complained`);
}

/** The page does not scroll sideways at this width. */
export async function noSideScroll(page, name, width = PHONE) {
  const before = page.viewportSize();
  await page.setViewportSize({ width, height: 800 });
  const wide = await page.evaluate(() => {
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    const beyond = [...document.querySelectorAll("body *")].filter((node) => node.getBoundingClientRect().right > room + 1);
    return [`${document.documentElement.scrollWidth} > ${room}`, ...beyond.slice(0, 5).map((node) => node.outerHTML.slice(0, 120))];
  });
  await page.setViewportSize(before);
  assert.deepEqual(wide, [], `${name} scrolls sideways at ${width} px`);
}

/** All of it, in light and dark; with SHOTS=1 also four pictures in out/. */
export async function inspect(page, name) {
  const before = page.viewportSize();
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await axe(page, `${name} (${colorScheme})`);
    if (process.env.SHOTS) {
      for (const width of [WIDE, PHONE]) await shot(page, `${name}-${width}-${colorScheme}`, width);
      await page.setViewportSize(before);
    }
  }
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await noSideScroll(page, name);
  calm(page, name);
}

/** A picture of the whole page. */
export async function shot(page, name, width = WIDE) {
  mkdirSync(join(here, "out"), { recursive: true });
  await page.setViewportSize({ width, height: 800 });
  await page.screenshot({ path: join(here, "out", `${name}.png`), fullPage: true });
}

// ---------------------------------------------------------------- the second factor

const STEP_S = 30;

/** The six digits of RFC 6238 for a time step; SHA-1, as the QR code says. */
export function totp(secret, step = Math.floor(Date.now() / 1000 / STEP_S)) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret.replace(/[\s=]/g, "").toUpperCase()].map((c) => alphabet.indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** An authenticator that never shows a code twice, because the instance takes none twice. */
export class Authenticator {
  #secret;
  #last = 0;
  /** The day it believes to be, counted from today. */
  days = 0;

  constructor(secret) {
    this.#secret = secret;
  }

  async code() {
    const now = () => Math.floor(Date.now() / 1000 / STEP_S) + (this.days * 24 * 3600) / STEP_S;
    const step = Math.max(now(), this.#last + 1);
    // One step ahead is still accepted: clocks differ. Beyond that, wait for it.
    while (step > now() + 1) await pause(500);
    this.#last = step;
    return totp(this.#secret, step);
  }
}
