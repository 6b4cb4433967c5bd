// One running instance: the release binary as anybody starts it, watched through /proc.

import { spawn, execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";

const TICKS_A_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
const STOP_WAIT_MS = 30_000;

export class Instance {
  /** @param {string} program path of the binary @param {string} folder holds `data` and its key */
  constructor(program, folder) {
    this.program = program;
    this.data = join(folder, "data");
  }

  /** Runs a command of the same binary on the same data; answers what it prints as JSON. */
  command(words, input) {
    const text = execFileSync(this.program, ["--json", ...words, "--data", this.data], {
      encoding: "utf8",
      input,
      maxBuffer: 64 << 20,
    });
    return text.trim() === "" ? {} : JSON.parse(text);
  }

  /** Starts the server; answers when it says where it listens, and how long that took. */
  async start() {
    const began = performance.now();
    // The client stands on this machine and asks more often than any person would.
    const bounds = ["--requests-per-second", "1000000", "--sign-ins-per-minute", "1000000"];
    const words = ["serve", "--data", this.data, "--listen", "127.0.0.1:0", "--log", "warn", ...bounds];
    // As `./run` and the service unit start it.
    const env = { MALLOC_ARENA_MAX: "2", ...process.env };
    this.process = spawn(this.program, words, { env, stdio: ["ignore", "pipe", "inherit"] });
    this.pid = this.process.pid;
    this.ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.said = "";
    this.url = await new Promise((resolve, reject) => {
      this.process.once("exit", (code) => reject(new Error(`the server ended with ${code}\n${this.said}`)));
      this.process.stdout.on("data", (piece) => {
        this.said += piece;
        const found = /answers at (https:\/\/\S+)/.exec(this.said);
        if (found) resolve(found[1]);
      });
    });
    this.began = began;
    return performance.now() - began;
  }

  /** Its own certificate, which a client takes as the only authority. */
  certificate() {
    return readFileSync(join(this.data, "tls", "certificate.pem"), "utf8");
  }

  async stop() {
    this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), STOP_WAIT_MS);
    await this.ended;
    clearTimeout(timer);
  }

  /** Processor time so far, user and system, in milliseconds. */
  cpuMs() {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
  }

  /** Memory in MiB: resident, and its share of what others map too. */
  memory() {
    const rollup = readFileSync(`/proc/${this.pid}/smaps_rollup`, "utf8");
    return { rss: mib(rollup, "Rss"), pss: mib(rollup, "Pss"), own: mib(rollup, "Anonymous") };
  }

  /** Forgets the highest resident memory so far, so that the next `peak` is that of what comes. */
  forgetPeak() {
    writeFileSync(`/proc/${this.pid}/clear_refs`, "5");
  }

  /** The highest resident memory since, in MiB. */
  peak() {
    return mib(readFileSync(`/proc/${this.pid}/status`, "utf8"), "VmHWM");
  }

  /** Threads it runs. */
  threads() {
    return readdirSync(`/proc/${this.pid}/task`).length;
  }
}

function mib(text, name) {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text);
  return Number(found[1]) / 1024;
}
