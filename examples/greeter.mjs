#!/usr/bin/env node
// A bot: offers the files of a folder, greets whoever comes, answers !help and !files, fetches what others offer.
//
//     examples/greeter.mjs HUB NAME OFFERS DOWNLOADS
//
// It shows how a program lives at a hub: it writes potluck one request a line, reads one event a line, and awaits
// the answer that has the request's `id`. Ctrl-C or SIGTERM ends it, with the exit code of potluck. Node is all that
// it needs; $POTLUCK says where potluck is if it is not on the PATH.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const MESSAGE_BYTES = 16 * 1024; // The longest text of a message, in UTF-8.
const HELP = "!files lists what is offered here, !help says this.";

class Bot {
  #client;
  #folder;
  #name;
  #number = Infinity; // Whoever comes after us has a higher number than we.
  #greeted = new Set();
  #known = new Set(); // Offers that were fetched, or will be.
  #toFetch = [];
  #fetching = false;
  #lastId = 0;
  #asked = new Map(); // Who waits for an answer, by the request's id.

  // What has no handler is ignored: there may be events that this program does not know.
  #handlers = new Map(
    Object.entries({
      ready: (event) => (this.#name = event.name),
      welcome: (event) => this.#enter(event.number),
      "roster-updated": (event) => event.clients.forEach((person) => this.#greet(person)),
      message: (event) => this.#hear(event.from, event.text.trim()),
      "table-updated": (event) => this.#fetchAll(event.added),
      error: (event) => console.error(`${event.code}: ${event.message}`),
      "hub-lost": (event) => console.log(`hub lost: ${event.reason}`),
      bye: (event) => console.log(`bye: ${event.reason}`),
    }),
  );

  constructor(client, folder) {
    this.#client = client;
    this.#folder = folder;
  }

  async run() {
    for await (const line of lines(this.#client.stdout)) {
      const event = JSON.parse(line);
      // Not awaited: what a handler waits for is read here.
      this.#handlers.get(event.event)?.(event);
      if (event.final) {
        this.#asked.get(event.id)?.(event);
        this.#asked.delete(event.id);
      }
    }
  }

  // Sends a request and gives its answer; that may be an `error`.
  async #ask(request) {
    for (;;) {
      const id = ++this.#lastId;
      this.#client.stdin.write(`${JSON.stringify({ ...request, id })}\n`);
      const answer = await new Promise((resolve) => this.#asked.set(id, resolve));
      if (answer.event !== "error" || answer.retry !== "later" || answer.wait === undefined) return answer;
      await sleep(answer.wait); // `slow-down`: the hub says for how long.
    }
  }

  #say(to, text) {
    return this.#ask({ request: "message", to, text });
  }

  #enter(number) {
    // Only the first time: if the hub was restarted, potluck offers everything again by itself.
    if (this.#number === Infinity) this.#offerAll();
    this.#number = number;
    console.log(`here as ${this.#name}`);
  }

  #offerAll() {
    for (const entry of readdirSync(this.#folder, { withFileTypes: true })) {
      // One by one: of one request, all files are offered or none.
      if (entry.isFile()) this.#ask({ request: "offer", files: [entry.name] });
    }
  }

  #greet({ name, number, state }) {
    if (state !== "online" || number <= this.#number || this.#greeted.has(name)) return;
    this.#greeted.add(name);
    this.#say(name, `Welcome, ${name}. ${HELP}`);
    console.log(`greeted ${name}`);
  }

  // Nothing but commands is answered, and no answer is a command: two bots do not keep each other talking.
  async #hear(asker, command) {
    if (asker === this.#name) return;
    if (command === "!help") {
      this.#say(asker, HELP);
    } else if (command === "!files") {
      const { offers } = await this.#ask({ request: "list" });
      const files = offers?.map(({ file, owner, size }) => `${file} from ${owner}, ${size} bytes`);
      if (files) this.#say(asker, oneMessage(`Files offered here: ${files.length}`, files));
    }
  }

  async #fetchAll(added) {
    for (const offer of added) {
      if (offer.owner === this.#name || this.#known.has(key(offer))) continue;
      this.#known.add(key(offer));
      this.#toFetch.push(offer);
    }
    if (this.#fetching) return;
    this.#fetching = true;
    // One after the other: a thousand at once would do nobody good.
    while (this.#toFetch.length > 0) await this.#fetch(this.#toFetch.shift());
    this.#fetching = false;
  }

  async #fetch(offer) {
    const { file, owner } = offer;
    // Several people may offer the same name: each has a folder.
    const to = `${owner}/${file}`;
    const answer = await this.#ask({ request: "get", file, from: owner, to, on_conflict: "overwrite" });
    if (answer.event === "transfer-completed") {
      console.log(`fetched ${answer.path}`);
      this.#say(owner, `Thank you for ${file}.`);
    } else if (answer.retry !== "never") {
      this.#known.delete(key(offer)); // If it is offered again, it is tried again.
    }
  }
}

function key({ owner, file, hash }) {
  return JSON.stringify([owner, file, hash]);
}

// The title and the lines below it; those that are too many for one message are only counted.
function oneMessage(title, lines) {
  let text = title;
  for (const [number, line] of lines.entries()) {
    const more = `\n(${lines.length - number} more)`;
    if (Buffer.byteLength(`${text}\n${line}${more}`) > MESSAGE_BYTES) return text + more;
    text += `\n${line}`;
  }
  return text;
}

// Lines as potluck writes them. node:readline, from Node 24 on, also ends one at U+2028, which a message may have.
async function* lines(stream) {
  let rest = "";
  for await (const text of stream.setEncoding("utf8")) {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}

const args = process.argv.slice(2);
const usage = "usage: greeter.mjs HUB NAME OFFERS DOWNLOADS";
if (args[0] === "--help" || args[0] === "-h") {
  console.log(usage);
  process.exit(0);
}
if (args.length !== 4) {
  console.error(usage);
  process.exit(2);
}
const [hub, name, offers, downloads] = args;
const options = ["--name", name, "--json", "--dir", offers, "--downloads", downloads];
// In a session of its own: a Ctrl-C reaches it once, through us, and not a second time, which would kill it.
const client = spawn(process.env.POTLUCK ?? "potluck", ["join", hub, ...options], {
  stdio: ["pipe", "pipe", "inherit"],
  detached: true,
});
const exited = once(client, "exit");
client.stdin.on("error", () => {}); // It has ended, and its last lines say why.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => client.kill(signal));
await new Bot(client, offers).run();
const [code] = await exited;
process.exitCode = code ?? 1;
