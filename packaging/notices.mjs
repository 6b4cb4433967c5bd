// Reads `cargo metadata` and prints the licence texts of every crate in the program, each text once.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const metadata = JSON.parse(readFileSync(0, "utf8"));
const packages = new Map(metadata.packages.map((crate) => [crate.id, crate]));
const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
const shipped = new Set();
const open = [metadata.resolve.root];
while (open.length > 0) {
  const id = open.pop();
  if (shipped.has(id)) continue;
  shipped.add(id);
  for (const link of nodes.get(id).deps) {
    if (link.dep_kinds.some((kind) => kind.kind === null)) open.push(link.pkg);
  }
}
// Crates that carry sources in C are needed while building only, and end up in the program all the same.
for (const node of nodes.values()) {
  if (/^(sqlcipher-src|openssl-src)$/.test(packages.get(node.id).name)) shipped.add(node.id);
}

const texts = new Map();
for (const id of shipped) {
  const crate = packages.get(id);
  if (id === metadata.resolve.root) continue;
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
