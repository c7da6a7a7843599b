import { hostName } from "./security.ts";

/** What a browser says about where a request comes from; a header that is absent is null. */
export interface RequestOrigin {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  /** The Origin header. */
  readonly origin: string | null;
  /** Fetch Metadata (W3C): Sec-Fetch-Site, -Mode and -Dest. */
  readonly site: string | null;
  readonly mode: string | null;
  readonly dest: string | null;
}

export interface OriginRules {
  /** Names of proxies before the bridge: they may change Host and port, so an Origin of that name is ours at any port. */
  readonly proxies: readonly string[];
  /** The one foreign origin whose pages may read; null for none. */
  readonly cors: string | null;
}

/** Pages that a link on another site may open: they are read by the person alone. */
const OPEN_TO_LINKS: ReadonlySet<string> = new Set(["/", "/login"]);

/**
 * Why a browser's request must not be answered: another site's page makes it. Null where it may. What is not a browser sends none
 * of these headers and cannot be told to send a request by a page.
 */
export function foreignOrigin(request: RequestOrigin, rules: OriginRules): string | null {
  const { origin, site } = request;
  if (origin !== null) {
    if (origin === rules.cors || isOurs(origin, request.host, rules.proxies)) return null;
    return `a page of "${origin.slice(0, 100)}" asks for it`;
  }
  if (site === null || site === "same-origin" || site === "none") return null;
  const isLink = request.method === "GET" && request.mode === "navigate" && request.dest === "document";
  return isLink && OPEN_TO_LINKS.has(request.path) ? null : "a page of another site asks for it";
}

function isOurs(origin: string, host: string, proxies: readonly string[]): boolean {
  const named = /^https?:\/\/([^/?#@]+)$/.exec(origin.toLowerCase())?.[1];
  if (named === undefined) return false;
  return named === host.toLowerCase() || proxies.includes(hostName(named));
}
