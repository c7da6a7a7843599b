import type { MiddlewareHandler } from "hono";

/** Host names that reach a bridge on this machine. Any other in the Host header is a page that rebinds its DNS name to us. */
export const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** In a list of allowed hosts: any IP address. A page that rebinds its DNS name comes with that name, never with an address. */
export const ANY_ADDRESS = "any IP address";

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Sets what every answer carries: no inline script, no sniffing, no framing, no referrer, nothing for other origins. */
export function securityHeaders(): MiddlewareHandler {
  return async (c, next) => {
    await next();
    c.header("content-security-policy", CONTENT_SECURITY_POLICY);
    c.header("x-content-type-options", "nosniff");
    c.header("x-frame-options", "DENY");
    c.header("referrer-policy", "no-referrer");
    c.header("cross-origin-resource-policy", "same-origin");
    c.header("cross-origin-opener-policy", "same-origin");
  };
}

/** Refuses a Host header whose name is not in `allowed` (names, ANY_ADDRESS; ports do not matter) with 403. */
export function hostCheck(allowed: readonly string[]): MiddlewareHandler {
  const names = new Set(allowed.filter((name) => name !== ANY_ADDRESS).map((name) => name.toLowerCase()));
  const byAddress = allowed.includes(ANY_ADDRESS);
  return async (c, next) => {
    const name = hostName(c.req.header("host") ?? new URL(c.req.url).host);
    if (!names.has(name) && !(byAddress && isAddress(name))) {
      const found = name.slice(0, 100);
      return c.json(
        { error: `This bridge does not answer to the host name "${found}"; it answers to ${allowed.join(", ")}` },
        403,
      );
    }
    return next();
  };
}

function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}

function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || /^\[[0-9a-f:.]+\]$/.test(name);
}
