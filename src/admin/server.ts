/**
 * The admin endpoint of one node: dashboard, `/metrics`, `/healthz`, `/readyz` and `/status.json` over HTTP, read-only. It asks
 * its node over the node's own data port, as everybody else does, so that "ready" means that the port answers.
 *
 * However many ask for one path at a time, the answer is made once; slow or many connections cost no more than the limits
 * below. Nobody is authenticated, so it listens on loopback unless told otherwise, and there it answers to names of this
 * machine only: a web page elsewhere cannot read it by having its own name point here.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import { RingtailError } from "../base/errors.ts";
import { ringAt } from "../cli/cluster-view.ts";
import { hintQuestion, repairQuestion, statusQuestion } from "../cli/questions.ts";
import { ask } from "../io/ask.ts";
import { listenReason } from "../io/tcp.ts";
import { isLoopback, parseAddress } from "../node/config.ts";
import { statusDocument, statusOfAll } from "./cluster-status.ts";
import { pageHtml, pageScript } from "./page.ts";

const askTimeoutMs = 1_000;
const connectionsMax = 64;
const requestTimeoutMs = 5_000;

/** How far above its data port a node's admin port is, unless configured. */
const portOffset = 80;

/** Where a node's admin endpoint is if nothing else is said: on loopback, 80 above the data port; undefined: beyond 65535. */
export function usualAdminAddress(listen: string): string | undefined {
  const { port } = parseAddress("listen", listen);
  if (port + portOffset > 65_535) return undefined;
  return `127.0.0.1:${port === 0 ? 0 : port + portOffset}`;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const html = "text/html; charset=utf-8";
const plain = "text/plain; charset=utf-8";

function answer(status: number, body: string, type: string = plain): Answer {
  return { status, type, body };
}

const refusals: Readonly<Record<number, Answer>> = {
  404: answer(404, "not found; there are: /, /healthz, /metrics, /readyz, /status.json\n"),
  405: answer(405, "GET and HEAD only\n"),
  421: answer(421, "ask by an IP address, or as localhost\n"),
};

/** An admin endpoint that listens. */
export class AdminServer {
  /** "host:port" with the real port. */
  readonly address: string;
  readonly #server: Server;
  readonly #underWay: Map<string, Promise<Answer>> = new Map();
  readonly #namesAreChecked: boolean;
  #node: string | undefined;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
    this.#namesAreChecked = isLoopback(parseAddress("address", address).host);
    server.on("request", (request, response) => void this.#onRequest(request, response));
  }

  /** Listens, and answers that the node is starting until `serve`. Rejects with `INVALID_ARGUMENT` if the address cannot be used. */
  static listen(address: string): Promise<AdminServer> {
    const { host, port } = parseAddress("adminListen", address);
    const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs });
    server.maxConnections = connectionsMax;
    // The node decides how long the process lives.
    server.unref();
    return new Promise((resolve, reject) => {
      server.once("error", (error) => {
        reject(new RingtailError("INVALID_ARGUMENT", `adminListen: ${listenReason(error, address)}`));
      });
      server.listen({ host, port }, () => {
        server.removeAllListeners("error").on("error", () => {});
        const bound = server.address();
        const real = typeof bound === "object" && bound !== null ? bound.port : port;
        resolve(new AdminServer(server, address.replace(/\d+$/, String(real))));
      });
    });
  }

  /** The node at this address is the one to ask. */
  serve(node: string): void {
    this.#node = node;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, type, body } = await this.#answerTo(request);
    response.writeHead(status, {
      "content-type": type,
      "content-length": Buffer.byteLength(body),
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'",
      "x-content-type-options": "nosniff",
    });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #answerTo(request: IncomingMessage): Answer | Promise<Answer> {
    const { method, url = "/", headers } = request;
    if (method !== "GET" && method !== "HEAD") return refusals[405] as Answer;
    if (this.#namesAreChecked && !isOwnName(headers.host ?? "")) return refusals[421] as Answer;
    const path = url.split("?", 1)[0] as string;
    const node = this.#node;
    if (path === "/healthz") return answer(200, "ok\n");
    if (path === "/") return answer(200, pageHtml, html);
    if (path === "/dashboard.js") return answer(200, pageScript, "text/javascript; charset=utf-8");
    const make = makers.get(path);
    if (make === undefined) return refusals[404] as Answer;
    if (node === undefined) return answer(503, "starting\n");
    return this.#shared(path, () => make(node));
  }

  /** The answer that is being made for this path, or a new one. */
  #shared(path: string, make: () => Promise<Answer>): Promise<Answer> {
    const before = this.#underWay.get(path);
    if (before !== undefined) return before;
    const made = make()
      .catch((error: unknown) => {
        if (!(error instanceof RingtailError)) throw error;
        return answer(503, `${error.code}: ${error.message}\n`);
      })
      .finally(() => this.#underWay.delete(path));
    this.#underWay.set(path, made);
    return made;
  }
}

function isOwnName(hostHeader: string): boolean {
  const name = hostHeader.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  return name === "localhost" || isIP(name) !== 0;
}

const makers: ReadonlyMap<string, (node: string) => Promise<Answer>> = new Map([
  ["/readyz", readiness],
  ["/metrics", metrics],
  ["/status.json", clusterDocument],
]);

async function readiness(address: string): Promise<Answer> {
  const { phase } = await ask({ address, timeoutMs: askTimeoutMs, ...statusQuestion() });
  return answer(phase === "serving" ? 200 : 503, `${phase}\n`);
}

async function metrics(address: string): Promise<Answer> {
  const where = { address, timeoutMs: askTimeoutMs };
  const [status, hints, repair] = await Promise.all([
    ask({ ...where, ...statusQuestion() }),
    ask({ ...where, ...hintQuestion }),
    ask({ ...where, ...repairQuestion() }),
  ]);
  const { user, system } = process.cpuUsage();
  const own = { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 };
  // Loaded by the first scrape: a node starts sooner without it.
  const { metricsText } = await import("./metrics-text.ts");
  const text = await metricsText({ status, hints, repair, ...own, nowSeconds: Math.floor(Date.now() / 1000) });
  return answer(200, text, "text/plain; version=0.0.4; charset=utf-8");
}

async function clusterDocument(address: string): Promise<Answer> {
  const ring = await ringAt(address, askTimeoutMs);
  const document = statusDocument(ring, await statusOfAll(ring, askTimeoutMs));
  return answer(200, `${JSON.stringify(document)}\n`, "application/json");
}
