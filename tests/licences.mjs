// Reads `cargo metadata` and fails if a crate's licence would bind whoever receives the program.
import { packages, shipped } from "../packaging/crates.mjs";

const FINE = new Set([
  "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause",
  "BSL-1.0", "CC0-1.0", "CDLA-Permissive-2.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "OpenSSL", "Unicode-3.0",
  "Unlicense", "WTFPL", "Zlib", "bzip2-1.0.6",
]);

/** Whether one side of every OR, and all sides of every AND, are fine. */
function isFine(expression) {
  const words = expression.replaceAll("/", " OR ").match(/\(|\)|\bOR\b|\bAND\b|[^()\s]+(?: WITH [^()\s]+)?/g);
  const either = () => {
    let fine = both();
    while (words[0] === "OR") { words.shift(); fine = both() || fine; }
    return fine;
  };
  const both = () => {
    let fine = one();
    while (words[0] === "AND") { words.shift(); fine = one() && fine; }
    return fine;
  };
  const one = () => {
    const word = words.shift();
    if (word !== "(") return FINE.has(word);
    const fine = either();
    words.shift();
    return fine;
  };
  return either();
}

const bad = [...shipped].map((id) => packages.get(id)).filter((crate) => !isFine(crate.license ?? "none named"));
for (const crate of bad) console.log(`${crate.name} ${crate.version}: ${crate.license ?? "no licence named"}`);
console.log(`Licences of ${shipped.size} crates in the program: ${bad.length === 0 ? "all fine" : `${bad.length} not`}.`);
process.exit(bad.length === 0 ? 0 : 1);
