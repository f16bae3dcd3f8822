import type { NextFunction, Request, Response } from 'express';

const contentPolicy = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Headers of every answer: nothing from elsewhere runs or loads, nobody frames it, nothing private is cached. */
export function setHeaders(_req: Request, res: Response, next: NextFunction): void {
  res.set({
    'Content-Security-Policy': contentPolicy,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'same-origin',
    'Cache-Control': 'no-store',
  });
  next();
}

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses a change asked for by a page of another origin (CSRF). The cookie's SameSite=Lax keeps it away already; this
 * holds where a sibling domain counts as the same site. Programs send neither header and are let through: they have no
 * cookie that was not given to them.
 */
export function refuseOtherOrigins(req: Request, res: Response, next: NextFunction): void {
  const origin = req.get('origin');
  const site = req.get('sec-fetch-site');
  const foreign =
    site !== undefined
      ? site !== 'same-origin' && site !== 'none'
      : origin !== undefined && hostOf(origin) !== req.host;
  if (safeMethods.has(req.method) || !foreign) next();
  else res.status(403).json({ error: 'this request came from a page of another origin' });
}

const hostOf = (origin: string): string | null => (URL.canParse(origin) ? new URL(origin).host : null);
