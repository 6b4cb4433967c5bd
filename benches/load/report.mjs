// JUnit reports of any size, the same each time: eight failures in a hundred, each with a trace.

const FAILURES_IN_A_HUNDRED = 8;
const CASES_A_CLASS = 50;
const TRACE = Array.from({ length: 8 }, (_, line) =>
  `\tat org.example.shop.checkout.Payment.settle(Payment.java:${40 + line})`).join("\n");

/** One report as text. `shift` moves the failures, so that no two reports are equal; `shop` names other cases. */
export function junit(cases, shift = 0, shop = "") {
  const pieces = ['<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'];
  for (let first = 0; first < cases; first += CASES_A_CLASS) {
    const count = Math.min(CASES_A_CLASS, cases - first);
    const suite = `org.example.shop${shop}.Suite${first / CASES_A_CLASS}Test`;
    pieces.push(`<testsuite name="${suite}" tests="${count}">\n`);
    for (let n = first; n < first + count; n += 1) {
      const head = `<testcase classname="${suite}" name="settles_order_${n}_by_card" time="0.${100 + (n % 900)}"`;
      const isFailure = (n * 37 + shift * 11) % 100 < FAILURES_IN_A_HUNDRED;
      pieces.push(isFailure
        ? `${head}><failure message="expected: &lt;200&gt; but was: &lt;${500 + (shift % 90)}&gt;">${TRACE}</failure></testcase>\n`
        : `${head}/>\n`);
    }
    pieces.push("</testsuite>\n");
  }
  pieces.push("</testsuites>\n");
  return pieces.join("");
}

/** A report of so many cases and at least so many bytes: names grow until it is that long. */
export function large(cases, bytes) {
  const text = junit(cases);
  const missing = bytes - Buffer.byteLength(text);
  return missing <= 0 ? text : text.replaceAll('_by_card"', `_by_card${"_and_voucher".repeat(Math.ceil(missing / cases / 12))}"`);
}

/** A body of `multipart/form-data` with one file. */
export function multipart(report, name = "report.xml") {
  const boundary = "testkeep-load-b41c9f27";
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n` +
    "Content-Type: application/xml\r\n\r\n";
  const body = Buffer.concat([Buffer.from(head), Buffer.from(report), Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return { body, headers: { "content-type": `multipart/form-data; boundary=${boundary}` } };
}
