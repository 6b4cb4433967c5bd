// What Testkeep costs: starts the release binary on an empty folder, fills it, measures, prints a table.
//
//   node benches/load/main.mjs --program target/release/testkeep --bare '{"rows_per_cpu_second":…}'
//
// Processor time is that of the server alone. It stands beside two costs of the same run, the bare SQLCipher loop
// and an answer of a few letters over TLS, so that a slow or busy machine does not count.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Client } from "./client.mjs";
import { Instance } from "./instance.mjs";
import { crowd, measure } from "./measure.mjs";
import { junit, large, multipart } from "./report.mjs";
import { Table } from "./table.mjs";

const OWNER = { email: "load@example.org", name: "Load", passphrase: "a bench that nobody guesses" };
const PROJECT = "SHOP";
const API = `/api/v1/projects/${PROJECT}`;
const STARTS = 5;
const SETTLE_MS = 5_000;
const RESULTS = 1_000;
const LARGE = { cases: 241_566, bytes: 50e6 };
const CROWD = { clients: 16, seconds: 5 };

const { values: options } = parseArgs({
  options: {
    program: { type: "string" },
    bare: { type: "string", default: "{}" },
    cases: { type: "string", default: "10000" },
    results: { type: "string", default: "100000" },
    json: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), "testkeep-load-"));
const table = new Table(JSON.parse(options.bare).rows_per_cpu_second);
const instance = new Instance(options.program, folder);
let client;
try {
  footprint();
  const secret = fill();
  await starts();
  await client.signIn(OWNER.email, OWNER.passphrase, secret);
  client.token = token();
  await hello();
  await pages();
  await api();
  await uploads();
  await mixed();
  await largeUpload();
  await afterwards();
} catch (reason) {
  instance.process?.kill("SIGKILL");
  throw reason;
} finally {
  if (options.keep) console.error(`kept: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
}
console.log(table.text());
if (options.json) writeFileSync(options.json, JSON.stringify(table.rows, null, 2));
process.exitCode = table.isGood() ? 0 : 1;

function footprint() {
  table.put("binary", "MB", statSync(options.program).size / 1e6);
  const libraries = execFileSync("ldd", [options.program], { encoding: "utf8" });
  const names = libraries.split("\n").map((line) => line.trim().split(/\s/)[0]).filter((name) => name !== "");
  const foreign = names.filter((name) => !/^(linux-vdso|libc|libm|libgcc_s|\/lib\S*\/ld-linux)\b/.test(name));
  table.put("libraries", "files", foreign.length, foreign.join(" "));
}

/** Claims the instance and fills it, as anybody would at the command line. Answers the second factor. */
function fill() {
  const [words, kit] = [join(folder, "passphrase"), join(folder, "kit")];
  writeFileSync(words, `${OWNER.passphrase}\n`, { mode: 0o600 });
  const named = ["--email", OWNER.email, "--name", OWNER.name];
  const claimed = instance.command(["setup", ...named, "--password-file", words, "--kit-file", kit]);
  instance.command(["demo", "--cases", options.cases, "--results", options.results]);
  return claimed.totp.secret;
}

/** A token as a pipeline has one, with the rights to do more than upload. */
function token() {
  const named = ["--name", "load", "--project", PROJECT, "--role", "manager"];
  return instance.command(["token", "create", ...named]).token;
}

/** Starts and stops a few times: the middle counts. The last one goes on running. */
async function starts() {
  const [ready, page] = [[], []];
  for (let n = 0; n < STARTS; n += 1) {
    if (n > 0) await stop();
    const began = performance.now();
    await instance.start();
    client = new Client(instance.url, instance.certificate());
    await client.want(200, "GET", "/readyz");
    ready.push(performance.now() - began);
    await client.want(200, "GET", "/signin");
    page.push(performance.now() - began);
  }
  table.put("ready", "ms", middle(ready));
  table.put("start", "ms", middle(page));
  await sleep(SETTLE_MS);
  const { rss, pss, own } = instance.memory();
  table.put("idlePss", "MiB", pss, `${own.toFixed(1)} MiB of it its own, ${instance.threads()} threads`);
  table.put("idleRss", "MiB", rss);
}

async function stop() {
  client.close();
  await instance.stop();
}

async function hello() {
  const seen = await measure(instance, () => client.want(200, "GET", "/healthz"), { warm: 200, least: 500 });
  table.put("hello", "CPU ms", seen.cpuMs, walls(seen));
  const alone = async () => {
    const other = client.another();
    await other.want(200, "GET", "/healthz");
    other.close();
  };
  const shaken = await measure(instance, alone, { least: 50 });
  table.put("handshake", "CPU ms", shaken.cpuMs, walls(shaken), "page");
}

async function pages() {
  const fullest = await fullestRun();
  const visitor = new Client(instance.url, instance.certificate());
  await page("signin", "/signin", visitor);
  visitor.close();
  await page("run", `/p/${PROJECT}/runs/${fullest}`);
  await page("cases", `/p/${PROJECT}/cases`);
  await page("search", `/p/${PROJECT}/cases?q=card`);
}

async function page(name, path, by = client) {
  let bytes = 0;
  const open = async () => { bytes = (await by.want(200, "GET", path)).body.length; };
  const seen = await measure(instance, open, { warm: 20, least: 50 });
  table.put(name, "CPU ms", seen.cpuMs, `${walls(seen)}, ${(bytes / 1024).toFixed(1)} KiB sent`, "page");
}

/** The newest run that holds a thousand results. */
async function fullestRun() {
  const { runs } = await client.json("GET", `${API}/runs?limit=1000`);
  const full = runs.find((run) => run.counts.total - run.counts.untested === RESULTS) ?? runs[0];
  return full.number;
}

async function api() {
  const path = `${API}/cases?q=card&limit=100`;
  const seen = await measure(instance, () => client.json("GET", path), { warm: 20, least: 50 });
  table.put("filter", "CPU ms", seen.cpuMs, walls(seen), "page");

  const results = Array.from({ length: RESULTS }, (_, n) => ({ case: n + 1, status: n % 12 ? "passed" : "failed" }));
  const record = async () => {
    const run = await client.json("POST", `${API}/runs`, { title: "Load" });
    await client.json("POST", `${API}/runs/${run.number}/results`, { results });
  };
  const fed = await measure(instance, record, { warm: 2, most: 60, each: RESULTS });
  table.put("json", "CPU ms", fed.cpuMs, walls(fed), "rows");
}

async function uploads() {
  let shift = 0;
  const fresh = await measure(instance, () => upload(junit(RESULTS, shift += 1, shift)),
    { warm: 1, most: 20, each: RESULTS });
  table.put("uploadNew", "CPU ms", fresh.cpuMs, walls(fresh), "rows");
  const known = await measure(instance, () => upload(junit(RESULTS, shift += 1)), { warm: 2, most: 60, each: RESULTS });
  table.put("uploadKnown", "CPU ms", known.cpuMs, walls(known), "rows");
}

async function upload(report) {
  const { body, headers } = multipart(report);
  headers.accept = "application/json";
  return client.want([200, 201], "POST", `${API}/uploads?format=junit`, { headers, body, asBrowser: false });
}

/** Sixteen people and programs who look at everything at once. */
async function mixed() {
  const paths = ["", "/cases", "/cases?q=card", "/runs", `/runs/${await fullestRun()}`];
  const crowded = Array.from({ length: CROWD.clients }, () => client.another());
  const turns = crowded.map(() => 0);
  const look = (n) => crowded[n].want(200, "GET", `/p/${PROJECT}${paths[(turns[n] += 1) % paths.length]}`);
  const seen = await crowd(instance, CROWD.clients, CROWD.seconds, look);
  table.put("mixed", "CPU ms", seen.cpuMs, `${walls(seen)}, ${seen.perSecond.toFixed(0)} a second`, "page");
  crowded.forEach((one) => one.close());
}

async function largeUpload() {
  const report = large(LARGE.cases, LARGE.bytes);
  await sleep(SETTLE_MS);
  const idle = instance.memory().rss;
  instance.forgetPeak();
  const [began, before] = [performance.now(), instance.cpuMs()];
  await upload(report);
  const seconds = (performance.now() - began) / 1000;
  const spent = instance.cpuMs() - before;
  table.put("largeTime", "s", seconds, `${(spent / 1000).toFixed(1)} s of processor time`);
  table.put("largeEach", "CPU ms", spent / LARGE.cases, "all cases new", "rows");
  table.put("largeMemory", "MiB", instance.peak() - idle, `${idle.toFixed(0)} MiB before`);
}

async function afterwards() {
  await sleep(SETTLE_MS);
  const { rss, pss, own } = instance.memory();
  table.put("afterRss", "MiB", rss, `PSS ${pss.toFixed(0)} MiB, ${own.toFixed(0)} MiB its own`);
  await stop();
}

function middle(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function walls({ count, p50, p99 }) {
  return `${count} times, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
}
