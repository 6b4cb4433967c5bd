// The table of figures: what was measured, what it must be at most, what it should be.

/** `must` and `aim` are upper bounds; a figure without them is told and not judged. */
const FIGURES = {
  binary: { text: "release binary, stripped", must: 40, aim: 25 },
  libraries: { text: "shared libraries beyond glibc", must: 0, aim: 0 },
  ready: { text: "start to the first /readyz", must: 1000, aim: 150 },
  start: { text: "start to the first good page", must: 1000, aim: 150 },
  idlePss: { text: "idle memory, its share (PSS)", must: 48, aim: 24 },
  idleRss: { text: "idle memory, resident", must: 48, aim: 24 },
  hello: { text: "/healthz over TLS" },
  handshake: { text: "TLS handshake and /healthz" },
  signin: { text: "sign-in page", must: 0.5, aim: 0.1 },
  run: { text: "run page, 1,000 results", must: 9, aim: 2.2 },
  cases: { text: "case list", must: 5, aim: 1 },
  search: { text: "case list, searched", must: 5, aim: 1 },
  filter: { text: "JSON, 100 cases by words", must: 1.5, aim: 0.4 },
  uploadNew: { text: "JUnit, 1,000 new cases, each", must: 0.3, aim: 0.06 },
  uploadKnown: { text: "JUnit, 1,000 known cases, each", must: 0.3, aim: 0.06 },
  json: { text: "JSON, 1,000 results, each", must: 0.3, aim: 0.06 },
  mixed: { text: "mixed pages, 16 clients" },
  largeTime: { text: "JUnit of 50 MB, 241,566 cases", must: 75, aim: 15 },
  largeEach: { text: "the same, each result", must: 0.3, aim: 0.06 },
  largeMemory: { text: "the same, memory over idle", must: 64, aim: 32 },
  afterRss: { text: "memory after all this, resident", must: 96 },
};

export class Table {
  /** @param {number} bare rows that the bare loop stores in a second of processor time */
  constructor(bare) {
    this.rows = [];
    this.bare = bare;
  }

  /** Notes a figure. `also` is said behind it; `rows` marks a cost for each stored row. */
  put(name, unit, value, also = "", kind = "") {
    const { text, must, aim } = FIGURES[name];
    const isGood = must === undefined || value <= must;
    const row = { name, text, unit, value, must, aim, isGood, ratio: this.#ratio(name, unit, value, kind), also };
    this.rows.push(row);
    console.error(`${isGood ? " " : "!"} ${text}: ${figure(value)} ${unit} ${row.ratio} ${also}`);
  }

  #ratio(name, unit, value, kind) {
    if (kind === "rows" && this.bare) return `${Math.round(1e5 / value / this.bare)} % of bare`;
    const hello = this.rows.find((row) => row.name === "hello");
    return hello && kind === "page" ? `${(value / hello.value).toFixed(1)} x hello` : "";
  }

  isGood() {
    return this.rows.every((row) => row.isGood);
  }

  /** As Markdown. */
  text() {
    const cells = this.rows.map(({ text, unit, value, must, aim, isGood, ratio, also }) =>
      [text, `${figure(value)} ${unit}`, must ?? "", aim ?? "", ratio, `${isGood ? "" : "**over** "}${also}`]);
    const head = ["figure", "measured", "at most", "aim", "beside", "also"];
    return [head, head.map(() => "---"), ...cells].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  }
}

function figure(value) {
  if (value === 0 || value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toPrecision(2);
}
