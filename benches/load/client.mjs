// A client of one instance: keep-alive over TLS, cookies as a browser keeps them, forms with their proof.

import { createHmac } from "node:crypto";
import { Agent, request } from "node:https";

export class Client {
  constructor(url, ca) {
    this.url = url;
    this.agent = new Agent({ keepAlive: true, maxSockets: 64, ca });
    this.cookies = new Map();
    this.token = null;
  }

  /** A client of the same instance with connections of its own, and the same cookies and token. */
  another() {
    const other = new Client(this.url, this.agent.options.ca);
    other.cookies = new Map(this.cookies);
    other.token = this.token;
    return other;
  }

  /** Sends one request; answers status, headers and body, whatever the status. */
  send(method, path, { headers = {}, body, asBrowser = true } = {}) {
    const all = { "accept-encoding": "br, gzip", ...headers };
    if (asBrowser) {
      all.accept = "text/html";
      all["sec-fetch-site"] = "same-origin";
      all.cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    } else {
      all.authorization = `Bearer ${this.token}`;
    }
    if (body !== undefined) all["content-length"] = Buffer.byteLength(body);
    return new Promise((resolve, reject) => {
      const asking = request(new URL(path, this.url), { method, agent: this.agent, headers: all }, (answer) => {
        const pieces = [];
        answer.on("data", (piece) => pieces.push(piece));
        answer.on("error", reject);
        answer.on("end", () => {
          this.#keep(answer.headers["set-cookie"] ?? []);
          resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(pieces) });
        });
      });
      asking.on("error", reject);
      asking.end(body);
    });
  }

  /** The same, where any other status than these ends the measurement. */
  async want(statuses, method, path, options) {
    const answer = await this.send(method, path, options);
    if (![statuses].flat().includes(answer.status)) {
      throw new Error(`${method} ${path}: ${answer.status}\n${answer.body.toString().slice(0, 2000)}`);
    }
    return answer;
  }

  async json(method, path, value) {
    const options = { headers: { accept: "application/json" }, asBrowser: false };
    if (value !== undefined) {
      options.headers["content-type"] = "application/json";
      options.body = JSON.stringify(value);
    }
    options.headers["accept-encoding"] = "identity";
    const answer = await this.want([200, 201], method, path, options);
    return JSON.parse(answer.body.toString());
  }

  /** Opens the page of a form, fills it and sends it; answers where it leads. */
  async submit(page, fields, action = page) {
    const shown = await this.want(200, "GET", page, { headers: { "accept-encoding": "identity" } });
    const proof = /name="_csrf" value="([^"]+)"/.exec(shown.body.toString());
    if (!proof) throw new Error(`${page} has no form`);
    const body = new URLSearchParams({ ...fields, _csrf: proof[1] }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await this.want(303, "POST", action, { headers, body });
    return answer.headers.location;
  }

  /** Signs in as a person does: passphrase, then the code that the secret gives now. */
  async signIn(email, passphrase, secret) {
    await this.submit("/signin", { email, passphrase });
    await this.submit("/signin/code", { code: totp(secret, Date.now()) });
  }

  close() {
    this.agent.destroy();
  }

  #keep(lines) {
    for (const line of lines) {
      const [pair, ...attributes] = line.split(";");
      const at = pair.indexOf("=");
      const isGone = attributes.some((attribute) => /^\s*max-age=0$/i.test(attribute));
      if (isGone) this.cookies.delete(pair.slice(0, at));
      else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }
}

/** RFC 6238 with SHA-1, six digits, thirty seconds. */
export function totp(secret, now) {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30_000)));
  const mac = createHmac("sha1", base32(secret)).update(counter).digest();
  const at = mac[mac.length - 1] & 15;
  const number = (mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000;
  return String(number).padStart(6, "0");
}

function base32(text) {
  const bits = [...text.replace(/[\s=]/g, "").toUpperCase()]
    .map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}
