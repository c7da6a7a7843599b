import type { MiddlewareHandler } from "hono";

/** Host names that reach a bridge on this machine. Any other in the Host header is a page that rebinds its DNS name to us. */
export const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** In a list of allowed hosts: any IP address. A page that rebinds its DNS name comes with that name, never with an address. */
export const ANY_ADDRESS = "any IP address";

const POLICY = "content-security-policy";
/** The Content-Security-Policy of the dashboard and of every answer that names no other. */
const DASHBOARD_POLICY = contentPolicy(
  "script-src 'self'",
  "connect-src 'self'",
  "font-src 'self'",
  "form-action 'none'",
);
/** That of a page with a form and without a script: it can only post to its own bridge. */
export const FORM_POLICY: string = contentPolicy("form-action 'self'");

function contentPolicy(...more: readonly string[]): string {
  const all = ["default-src 'none'", "style-src 'self'", "img-src 'self' data:", "base-uri 'none'"];
  return [...all, "frame-ancestors 'none'", ...more].join("; ");
}

/** Sets what every answer carries: no inline script, no sniffing, no framing, no referrer, nothing for other origins. */
export function securityHeaders(): MiddlewareHandler {
  return async (c, next) => {
    await next();
    if (!c.res.headers.has(POLICY)) c.header(POLICY, DASHBOARD_POLICY);
    c.header("x-content-type-options", "nosniff");
    c.header("x-frame-options", "DENY");
    // Not "no-referrer": with that a browser posts the login form with "Origin: null", which is nobody.
    c.header("referrer-policy", "same-origin");
    c.header("cross-origin-resource-policy", "same-origin");
    c.header("cross-origin-opener-policy", "same-origin");
  };
}

/** Whether a Host header's name is in `allowed` (names without port, ANY_ADDRESS). */
export function isAllowedHost(host: string, allowed: readonly string[]): boolean {
  const name = hostName(host);
  if (name === ANY_ADDRESS.toLowerCase()) return false;
  return allowed.includes(name) || (allowed.includes(ANY_ADDRESS) && isAddress(name));
}

/** The name in a Host header, in lower case, without its port. */
export function hostName(host: string): string {
  return host.toLowerCase().replace(/:\d+$/, "");
}

function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || /^\[[0-9a-f:.]+\]$/.test(name);
}
