import type { Context, Hono, MiddlewareHandler, Next } from "hono";
import type { Clock, Timers } from "../core/env.ts";
import type { Access, Attempt } from "./access.ts";
import { LOGIN_PATHS, LoginPages, loginRedirect } from "./login.ts";
import { foreignOrigin } from "./origin.ts";
import { clientOf, isLoopback, networkOf, setAddress } from "./peer.ts";
import { faultOf } from "./request-limits.ts";
import { ANY_ADDRESS, isAllowedHost, LOOPBACK_HOSTS, securityHeaders } from "./security.ts";
import { type BucketLimits, TokenBuckets } from "./token-buckets.ts";

export interface GateOptions {
  /** Names the Host header may carry, without port; ANY_ADDRESS for every IP address. */
  readonly hosts: readonly string[];
  /** Further names: those of proxies before the bridge. */
  readonly proxies: readonly string[];
  /** The one foreign origin whose pages may read; null for none. */
  readonly cors: string | null;
  /** Null: whoever reaches the bridge may read. */
  readonly access: Access | null;
  /** Cookies do not know ports: two bridges of one host need two names. */
  readonly cookie: string;
  readonly requestLimits?: BucketLimits;
}

/** A bridge that only this machine reaches. */
export const LOCAL_GATE: GateOptions = {
  hosts: LOOPBACK_HOSTS,
  proxies: [],
  cors: null,
  access: null,
  cookie: "fabric-session",
};

/** Requests of one address. Loopback has no such limit: a program of this machine can burn its cores without us. */
export const REQUESTS_PER_ADDRESS: BucketLimits = { perSecond: 50, burst: 200, keys: 10_000 };

/**
 * What every request passes before any route: limits, the names the bridge answers to, where the asking page is from, and the
 * token. Whatever is refused is answered in one sentence and counted.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #hosts: readonly string[];
  readonly #buckets: TokenBuckets;
  readonly #pages: LoginPages | null;
  readonly #counts = { requests: 0, limited: 0, oversize: 0, foreign: 0, unauthorized: 0 };

  constructor(options: GateOptions, deps: { readonly clock: Clock; readonly timers: Timers }) {
    const proxies = options.proxies.map((name) => name.toLowerCase());
    this.#options = { ...options, proxies };
    this.#hosts = [...options.hosts.map((name) => (name === ANY_ADDRESS ? name : name.toLowerCase())), ...proxies];
    this.#buckets = new TokenBuckets(options.requestLimits ?? REQUESTS_PER_ADDRESS, deps.clock);
    this.#pages = options.access && new LoginPages(options.access, options.cookie, deps.timers, (c) => this.#client(c));
  }

  /** Stands before every route of the app, and adds the login's where there is a token. */
  guard(app: Hono): void {
    app.use(securityHeaders());
    if (this.#options.cors !== null) app.use(corsHeaders(this.#options.cors));
    app.use((c, next) => this.#pass(c, next));
    this.#pages?.mount(app);
  }

  counters(): Readonly<Record<string, number>> {
    return {
      "bridge.requests.total": this.#counts.requests,
      "bridge.requests.limited.total": this.#counts.limited,
      "bridge.requests.oversize.total": this.#counts.oversize,
      "bridge.requests.foreign.total": this.#counts.foreign,
      "bridge.requests.unauthorized.total": this.#counts.unauthorized,
      ...this.#options.access?.counters(),
    };
  }

  close(): void {
    this.#options.access?.close();
  }

  async #pass(c: Context, next: Next): Promise<Response | undefined> {
    this.#counts.requests++;
    const refusal = this.#overLimit(c) ?? this.#foreign(c);
    if (refusal) return refusal;
    const { cors } = this.#options;
    if (cors !== null && c.req.method === "OPTIONS" && c.req.header("origin") === cors) return preflight(c);
    const denial = this.#denied(c);
    if (denial) return denial;
    await next();
    return undefined;
  }

  #client(c: Context): string | null {
    return clientOf(c, this.#options.proxies.length > 0);
  }

  #overLimit(c: Context): Response | null {
    const client = this.#client(c);
    const address = client === null || isLoopback(client) ? null : networkOf(client);
    setAddress(c, address);
    const waitSeconds = address === null ? 0 : this.#buckets.take(address);
    if (waitSeconds > 0) {
      this.#counts.limited++;
      return tooMany(c, waitSeconds, "Too many requests from this address");
    }
    const fault = faultOf(c.req.raw);
    if (!fault) return null;
    this.#counts.oversize++;
    return c.json({ error: fault.error }, fault.status);
  }

  #foreign(c: Context): Response | null {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    const error = this.#foreignReason(c, host);
    if (error === null) return null;
    this.#counts.foreign++;
    return c.json({ error }, 403);
  }

  #foreignReason(c: Context, host: string): string | null {
    if (!isAllowedHost(host, this.#hosts)) {
      const known = this.#hosts.join(", ");
      return `This bridge does not answer to the host name "${host.slice(0, 100)}"; it answers to ${known}`;
    }
    const header = (name: string) => c.req.header(name) ?? null;
    const from = {
      method: c.req.method,
      path: c.req.path,
      host,
      origin: header("origin"),
      site: header("sec-fetch-site"),
      mode: header("sec-fetch-mode"),
      dest: header("sec-fetch-dest"),
    };
    const reason = foreignOrigin(from, this.#options);
    return reason === null ? null : `This bridge answers its own pages alone, and ${reason}`;
  }

  #denied(c: Context): Response | null {
    const { access } = this.#options;
    if (!access || c.req.path === "/healthz") return null;
    const shown = c.req.header("authorization");
    // Other kinds are a proxy's: a browser that it asks for a password sends that with every request, and has its session all the same.
    if (shown !== undefined && /^Bearer(?: |$)/i.test(shown)) {
      const token = /^Bearer +(\S+)$/i.exec(shown)?.[1];
      const attempt: Attempt = token === undefined ? { outcome: "wrong" } : access.attempt(token, this.#client(c));
      if (attempt.outcome === "right") return null;
      if (attempt.outcome === "wait") return tooMany(c, attempt.seconds, "Too many wrong tokens from this address");
      return this.#unauthorized(c, "expected its token, found another");
    }
    const ended = this.#pages?.session(c) ?? null;
    if (ended) {
      // Streams end with their session.
      if (c.req.path.endsWith("/stream"))
        c.req.raw = new Request(c.req.raw, { signal: AbortSignal.any([c.req.raw.signal, ended]) });
      return null;
    }
    if (LOGIN_PATHS.has(c.req.path)) return null;
    const isPage = c.req.method === "GET" && c.req.header("accept")?.includes("text/html") === true;
    if (!isPage) return this.#unauthorized(c, "expected its token (Authorization: Bearer TOKEN), or a login at /login");
    this.#counts.unauthorized++;
    return loginRedirect(c);
  }

  #unauthorized(c: Context, why: string): Response {
    this.#counts.unauthorized++;
    c.header("www-authenticate", 'Bearer realm="fabric"');
    c.header("cache-control", "no-store");
    return c.json({ error: `This bridge has a token: ${why}` }, 401);
  }
}

/** Lets pages of that origin read every answer, refusals too. No cookie: a page elsewhere sends the token in a header. */
function corsHeaders(origin: string): MiddlewareHandler {
  return async (c, next) => {
    await next();
    c.header("vary", "Origin", { append: true });
    if (c.req.header("origin") === origin) c.header("access-control-allow-origin", origin);
  };
}

function tooMany(c: Context, waitSeconds: number, what: string): Response {
  c.header("retry-after", `${waitSeconds}`);
  c.header("cache-control", "no-store");
  return c.json({ error: `${what}: try again in ${waitSeconds} s` }, 429);
}

function preflight(c: Context): Response {
  c.header("access-control-allow-methods", "GET, HEAD");
  c.header("access-control-allow-headers", "authorization, last-event-id");
  c.header("access-control-max-age", "600");
  return c.body(null, 204);
}
