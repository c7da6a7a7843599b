import type { Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import type { Timers } from "../core/env.ts";
import type { Access } from "./access.ts";
import { FORM_POLICY } from "./security.ts";
import { SESSION_LIMITS } from "./sessions.ts";

/** What a browser reaches without a session; /logout does nothing without one. */
export const LOGIN_PATHS: ReadonlySet<string> = new Set(["/login", "/login.css", "/logout"]);

/** Bytes of a login's body. */
export const MAX_LOGIN_BYTES = 4096;

const BODY_WITHIN_MS = 10_000;

const STYLE = `:root{color-scheme:dark light}
body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:18vh auto;padding:0 1rem}
input,button{font:inherit;box-sizing:border-box;width:100%;padding:.5rem .7rem;margin:.3rem 0}
[role=alert]{color:light-dark(#b3261e,#ff8a80)}
`;

/**
 * The pages and routes of a browser's login. Their POST routes are the only ones of the bridge, and change nothing but the
 * browser's own session.
 */
export class LoginPages {
  readonly #access: Access;
  readonly #cookie: string;
  readonly #timers: Timers;
  readonly #client: (c: Context) => string | null;

  constructor(access: Access, cookie: string, timers: Timers, client: (c: Context) => string | null) {
    this.#access = access;
    this.#timers = timers;
    this.#client = client;
    this.#cookie = cookie;
  }

  mount(app: Hono): void {
    app.get("/login.css", (c) => c.body(STYLE, 200, { "content-type": "text/css; charset=utf-8" }));
    app.get("/login", (c) => (this.session(c) ? c.redirect("/", 303) : loginPage(c, 200, null)));
    app.get("/logout", (c) => (this.session(c) ? logoutPage(c) : c.redirect("/login", 303)));
    app.post("/login", (c) => this.#logIn(c));
    app.post("/logout", (c) => this.#logOut(c));
  }

  /** A signal that fires when the browser's session ends; null where it has none. */
  session(c: Context): AbortSignal | null {
    const secret = getCookie(c, this.#cookie);
    return secret === undefined ? null : this.#access.sessions.use(secret);
  }

  async #logIn(c: Context): Promise<Response> {
    const length = c.req.header("content-length") ?? "";
    if (!/^\d{1,9}$/.test(length)) return c.json({ error: "Expected a login with a Content-Length" }, 411);
    if (Number(length) > MAX_LOGIN_BYTES)
      return c.json({ error: `Expected a login of at most ${MAX_LOGIN_BYTES} bytes, found ${length}` }, 413);
    const body = await this.#body(c);
    if (body === null) return c.json({ error: `Expected the whole login within ${BODY_WITHIN_MS / 1000} s` }, 408);
    const token = new URLSearchParams(body).get("token") ?? "";
    if (token === "") return loginPage(c, 400, "Type the bridge's token.");
    const attempt = this.#access.attempt(token, this.#client(c));
    if (attempt.outcome === "wait") {
      c.header("retry-after", `${attempt.seconds}`);
      return loginPage(c, 429, `Too many wrong tokens: try again in ${attempt.seconds} s.`);
    }
    if (attempt.outcome === "wrong") return loginPage(c, 401, "That is not this bridge's token.");
    this.#forget(c);
    this.#setCookie(c, this.#access.logIn(), SESSION_LIMITS.lifeMs / 1000);
    return redirect(c, "/");
  }

  /** Null where it does not come in time, or breaks off. */
  #body(c: Context): Promise<string | null> {
    return new Promise((resolve) => {
      const timer = this.#timers.after(BODY_WITHIN_MS, () => resolve(null));
      const finish = (body: string | null) => {
        timer.cancel();
        resolve(body);
      };
      c.req.text().then(finish, () => finish(null));
    });
  }

  #logOut(c: Context): Response {
    this.#forget(c);
    this.#setCookie(c, "", 0);
    return redirect(c, "/login");
  }

  #forget(c: Context): void {
    const secret = getCookie(c, this.#cookie);
    if (secret !== undefined) this.#access.sessions.close(secret);
  }

  #setCookie(c: Context, secret: string, maxAge: number): void {
    // A browser that speaks TLS with a proxy before us says so in Origin, which every browser sends with a form's POST.
    const secure = c.req.header("origin")?.startsWith("https:") === true;
    setCookie(c, this.#cookie, secret, { path: "/", httpOnly: true, sameSite: "Strict", maxAge, secure });
  }
}

/**
 * Sends a browser without a session to the login. One that comes over a link on another site may have a session all the same,
 * whose cookie is not sent with that first request (SameSite=Strict): it is told to ask again by itself.
 */
export function loginRedirect(c: Context): Response {
  if (c.req.header("sec-fetch-site") !== "cross-site" || c.req.path !== "/") return redirect(c, "/login");
  const refresh = '<meta http-equiv="refresh" content="0; url=/">';
  return page(c, 200, "fabric", '<p><a href="/">To the dashboard</a></p>', refresh);
}

function loginPage(c: Context, status: 200 | 400 | 401 | 429, alert: string | null): Response {
  const said = alert === null ? "" : `<p role="alert">${alert}</p>`;
  return page(
    c,
    status,
    "Log in to fabric",
    `<h1>fabric</h1>${said}<form method="post" action="/login"><label>The bridge's token
<input type="password" name="token" autocomplete="current-password" required autofocus></label><button>Log in</button></form>`,
  );
}

function logoutPage(c: Context): Response {
  const form = '<form method="post" action="/logout"><button>Log out of this bridge</button></form>';
  return page(c, 200, "Log out of fabric", `<h1>fabric</h1>${form}<p><a href="/">Back to the dashboard</a></p>`);
}

function page(c: Context, status: 200 | 400 | 401 | 429, title: string, body: string, head = ""): Response {
  c.header("content-security-policy", FORM_POLICY);
  c.header("cache-control", "no-store");
  return c.html(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` +
      `<title>${title}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/login.css">${head}</head><body><main>${body}</main></body></html>`,
    status,
  );
}

function redirect(c: Context, to: string): Response {
  c.header("cache-control", "no-store");
  return c.redirect(to, 303);
}
