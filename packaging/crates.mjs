// Reads `cargo metadata` from standard input: which crates there are, and which of them end up in the program.
import { readFileSync } from "node:fs";

const metadata = JSON.parse(readFileSync(0, "utf8"));
export const root = metadata.resolve.root;
export const packages = new Map(metadata.packages.map((crate) => [crate.id, crate]));
export const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
// What is needed while building only is left out.
export const shipped = new Set();
const open = [root];
while (open.length > 0) {
  const id = open.pop();
  if (shipped.has(id)) continue;
  shipped.add(id);
  for (const link of nodes.get(id).deps) {
    if (link.dep_kinds.some((kind) => kind.kind === null)) open.push(link.pkg);
  }
}
