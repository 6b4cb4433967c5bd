// The stories' own authenticator against the examples of RFC 6238, appendix B (SHA-1, last six digits).
import assert from "node:assert/strict";
import test from "node:test";
import { totp } from "../lib.mjs";

test("codes are those of RFC 6238", () => {
  const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
  for (const [seconds, code] of [[59, "287082"], [1111111109, "081804"], [1234567890, "005924"], [20000000000, "353130"]]) {
    assert.equal(totp(secret, Math.floor(seconds / 30)), code);
  }
});
