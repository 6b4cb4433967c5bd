// Measures one operation: processor time of the server by /proc, time on the clock by the client.

import { performance } from "node:perf_hooks";

/** Processor time is counted in ticks of 10 ms: with this much of it, a tick is two parts in a hundred. */
const CPU_MS_ENOUGH = 500;
const WALL_MS_MAX = 20_000;

/**
 * Repeats `operation` one after the other until there is enough to tell, `most` times at most.
 * `each` is how many units one operation holds, such as the results of an upload.
 */
export async function measure(instance, operation, { warm = 5, least = 10, most = 20_000, each = 1 } = {}) {
  for (let n = 0; n < warm; n += 1) await operation();
  const walls = [];
  const began = performance.now();
  const before = instance.cpuMs();
  let spent = 0;
  while (walls.length < most) {
    const at = performance.now();
    await operation();
    walls.push(performance.now() - at);
    // Looking costs the client and not the server, but not after each of thousands.
    if (walls.length % least === 0) {
      spent = instance.cpuMs() - before;
      if (spent >= CPU_MS_ENOUGH || performance.now() - began > WALL_MS_MAX) break;
    }
  }
  spent = instance.cpuMs() - before;
  return { count: walls.length, cpuMs: spent / walls.length / each, ...percentiles(walls) };
}

/** Keeps `clients` busy at once for `seconds`; each calls `operation` with its own number. */
export async function crowd(instance, clients, seconds, operation) {
  const walls = [];
  const began = performance.now();
  const before = instance.cpuMs();
  const until = began + seconds * 1000;
  const one = async (client) => {
    while (performance.now() < until) {
      const at = performance.now();
      await operation(client);
      walls.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, client) => one(client)));
  const wall = performance.now() - began;
  const cpuMs = (instance.cpuMs() - before) / walls.length;
  return { count: walls.length, cpuMs, perSecond: (walls.length * 1000) / wall, ...percentiles(walls) };
}

function percentiles(walls) {
  const sorted = [...walls].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { p50: at(0.5), p99: at(0.99) };
}
