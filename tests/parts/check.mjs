// Holds the list of parts, a file in CycloneDX 1.6 JSON, against its schema: node check.mjs FILE
import { readFileSync } from "node:fs";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import parse from "spdx-expression-parse";

const text = readFileSync(process.argv[2], "utf8");
const wrong = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
if (wrong !== null) {
  console.log(JSON.stringify(wrong, null, 1).slice(0, 4000));
  process.exit(1);
}
// The schema takes any words for a licence; those who read the list do not.
const { components } = JSON.parse(text);
for (const { name, licenses } of components) {
  for (const { expression } of licenses) if (expression !== undefined) {
    try { parse(expression); } catch (reason) { console.log(`${name}: ${expression}: ${reason.message}`); process.exitCode = 1; }
  }
}
console.log(`${components.length} parts`);
