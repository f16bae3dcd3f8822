import { stringifySetCookie } from 'cookie';

export type SameSite = boolean | 'lax' | 'strict' | 'none';

/** Attributes of the session cookie, as express-session names them. */
export interface CookieOptions {
  /** `/` unless said otherwise. */
  readonly path?: string;
  /** Keeps scripts of the page from reading it. True unless said otherwise. */
  readonly httpOnly?: boolean;
  /** `'auto'`, the default: when the request came over TLS, here or at the balancer. */
  readonly secure?: boolean | 'auto';
  /** `'lax'` unless said otherwise. */
  readonly sameSite?: SameSite;
  readonly domain?: string;
  /** Milliseconds that the browser keeps it; absent: until the browser ends. The server's limits are not changed by it. */
  readonly maxAge?: number;
}

/** `req.session.cookie`: the cookie as this response would send it. Setting anything of it sends it. */
export interface SessionCookie {
  path: string;
  httpOnly: boolean;
  secure: boolean | 'auto';
  sameSite: SameSite;
  domain: string | undefined;
  /** When the browser forgets it, null: when it ends. */
  expires: Date | null;
  /** Milliseconds from now on, null: until the browser ends. */
  get maxAge(): number | null;
  set maxAge(maxAge: number | null | undefined);
  /** As the options of `session()` have it. */
  readonly originalMaxAge: number | null;
}

/** The cookie of one response. */
export class ResponseCookie implements SessionCookie {
  readonly #options: { -readonly [Key in keyof CookieOptions]: CookieOptions[Key] };
  readonly originalMaxAge: number | null;
  #expires: Date | null = null;
  #changed = false;

  constructor(options: CookieOptions) {
    this.#options = { ...options };
    this.originalMaxAge = options.maxAge ?? null;
    if (options.maxAge !== undefined) this.#expires = new Date(Date.now() + options.maxAge);
  }

  get path(): string {
    return this.#options.path ?? '/';
  }
  set path(path: string) {
    this.#options.path = path;
    this.#changed = true;
  }

  get httpOnly(): boolean {
    return this.#options.httpOnly ?? true;
  }
  set httpOnly(httpOnly: boolean) {
    this.#options.httpOnly = httpOnly;
    this.#changed = true;
  }

  get secure(): boolean | 'auto' {
    return this.#options.secure ?? 'auto';
  }
  set secure(secure: boolean | 'auto') {
    this.#options.secure = secure;
    this.#changed = true;
  }

  get sameSite(): SameSite {
    return this.#options.sameSite ?? 'lax';
  }
  set sameSite(sameSite: SameSite) {
    this.#options.sameSite = sameSite;
    this.#changed = true;
  }

  get domain(): string | undefined {
    return this.#options.domain;
  }
  set domain(domain: string | undefined) {
    if (domain === undefined) delete this.#options.domain;
    else this.#options.domain = domain;
    this.#changed = true;
  }

  get expires(): Date | null {
    return this.#expires;
  }
  set expires(expires: Date | null) {
    this.#expires = expires;
    this.#changed = true;
  }

  get maxAge(): number | null {
    return this.#expires === null ? null : Math.max(0, this.#expires.getTime() - Date.now());
  }
  set maxAge(maxAge: number | null | undefined) {
    this.expires = typeof maxAge === 'number' ? new Date(Date.now() + maxAge) : null;
  }

  toJSON(): Record<string, unknown> {
    const { path, httpOnly, secure, sameSite, domain, expires, originalMaxAge } = this;
    return { path, httpOnly, secure, sameSite, domain, expires, originalMaxAge };
  }

  /** Whether the app has set something of it, so that it is sent even for a session the client knows. */
  static isChanged(cookie: ResponseCookie): boolean {
    return cookie.#changed;
  }

  /** The `Set-Cookie` line that gives the client this id. */
  static give(cookie: ResponseCookie, name: string, id: string, isSecure: boolean): string {
    const { expires, maxAge } = cookie;
    const life = expires === null || maxAge === null ? {} : { expires, maxAge: Math.round(maxAge / 1000) };
    return stringifySetCookie({ ...ResponseCookie.#place(cookie, name, isSecure), value: id, ...life });
  }

  /** The `Set-Cookie` line that takes it away. */
  static take(cookie: ResponseCookie, name: string, isSecure: boolean): string {
    return stringifySetCookie({
      ...ResponseCookie.#place(cookie, name, isSecure),
      value: '',
      maxAge: 0,
      expires: new Date(0),
    });
  }

  static #place(cookie: ResponseCookie, name: string, isSecure: boolean) {
    const { path, httpOnly, secure, sameSite, domain } = cookie;
    return {
      name,
      path,
      httpOnly,
      secure: secure === 'auto' ? isSecure : secure,
      sameSite,
      ...(domain === undefined ? {} : { domain }),
    };
  }
}
