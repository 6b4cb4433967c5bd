// Reads `cargo metadata` and prints the licence texts of every crate in the program, each text once.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { nodes, packages, root, shipped } from "./crates.mjs";

// Crates that carry sources in C are needed while building only, and end up in the program all the same.
for (const node of nodes.values()) {
  if (/^(sqlcipher-src|openssl-src)$/.test(packages.get(node.id).name)) shipped.add(node.id);
}

const texts = new Map();
for (const id of shipped) {
  const crate = packages.get(id);
  if (id === root) continue;
  const folder = dirname(crate.manifest_path);
  const files = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice|unlicense|copyright)/i.test(name));
  const named = `${crate.name} ${crate.version} (${crate.license ?? "see its text"})`;
  for (const name of files.sort()) {
    let text;
    try { text = readFileSync(join(folder, name), "utf8").replace(/\r/g, "").trim(); } catch { continue; }
    texts.set(text, [...(texts.get(text) ?? []), named]);
  }
  if (files.length === 0) {
    const text = `No text comes with it. Its authors: ${crate.authors.join(", ") || "not named"}.`;
    texts.set(text, [...(texts.get(text) ?? []), named]);
  }
}
const parts = [...texts].map(([text, names]) => `${[...new Set(names)].sort().join("\n")}\n\n${text}\n`);
console.log("Notices of the libraries that are part of testkeep.\n");
console.log(parts.sort().join(`\n${"-".repeat(78)}\n\n`));
