import { LimpetError } from '@limpet/core';
import type { CookieOptions } from './session-cookie.ts';
import { suggest } from './suggest.ts';

/** What `session()` takes. Everything has a default; under `limpet start` the names come from its options. */
export interface SessionOptions {
  /** The cookie's name; `JSESSIONID` unless said otherwise. */
  readonly name?: string;
  /** A header that carries the id too, for clients without a cookie jar; null: none, the default. */
  readonly header?: string | null;
  readonly cookie?: CookieOptions;
  /** Sends the cookie with every response of a session, so that its `maxAge` starts anew. */
  readonly rolling?: boolean;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isToken = (value: unknown): boolean => typeof value === 'string' && token.test(value);

interface Rule {
  readonly accepts: (value: unknown) => boolean;
  readonly wants: string;
}

const optionRules: Readonly<Record<keyof SessionOptions, Rule>> = {
  name: { accepts: isToken, wants: 'a cookie name' },
  header: { accepts: (value) => value === null || isToken(value), wants: 'a header name or null' },
  cookie: { accepts: (value) => typeof value === 'object' && value !== null, wants: 'an object' },
  rolling: { accepts: isFlag, wants: 'true or false' },
};

const cookieRules: Readonly<Record<keyof CookieOptions, Rule>> = {
  path: { accepts: (value) => typeof value === 'string' && value.startsWith('/'), wants: 'a path from /' },
  httpOnly: { accepts: isFlag, wants: 'true or false' },
  secure: { accepts: (value) => isFlag(value) || value === 'auto', wants: "true, false or 'auto'" },
  sameSite: {
    accepts: (value) => isFlag(value) || value === 'lax' || value === 'strict' || value === 'none',
    wants: "'lax', 'strict', 'none', true or false",
  },
  domain: { accepts: (value) => typeof value === 'string' && value !== '', wants: 'a domain' },
  maxAge: {
    accepts: (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0,
    wants: 'milliseconds, 0 or more',
  },
};

/** Options of express-session that mean nothing here: what to do instead. */
const foreignOptions: Readonly<Record<string, string>> = {
  secret: 'leave it out: the keys belong to the cluster (limpet start --secret-file)',
  resave: 'leave it out: only what changed is written',
  saveUninitialized: 'leave it out: a session that stays empty is never made',
  store: 'leave it out: limpet start --store chooses',
  genid: 'leave it out: an id says where its session lives',
  proxy: 'leave it out: the balancer says whether the request came over TLS',
  unset: 'leave it out: call req.session.destroy()',
};

/** Throws LIMPET_SESSION_OPTION, naming every problem at once. */
export function checkOptions(options: SessionOptions): void {
  const problems = [
    ...findProblems('', options, optionRules, foreignOptions),
    ...findProblems('cookie.', options.cookie ?? {}, cookieRules, {}),
  ];
  if (options.cookie?.sameSite === 'none' && options.cookie.secure === false)
    problems.push("cookie.sameSite 'none' needs cookie.secure: browsers refuse it otherwise");
  if (problems.length > 0) throw new LimpetError('LIMPET_SESSION_OPTION', { problems: problems.join('; ') });
}

function findProblems(
  prefix: string,
  given: object,
  rules: Readonly<Record<string, Rule>>,
  foreign: Readonly<Record<string, string>>,
): string[] {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) problems.push(`${prefix}${name}: ${describeUnknown(name, Object.keys(rules), foreign)}`);
    else if (value !== undefined && !rule.accepts(value)) problems.push(`${prefix}${name}: wants ${rule.wants}`);
  }
  return problems;
}

function describeUnknown(name: string, known: readonly string[], foreign: Readonly<Record<string, string>>): string {
  const instead = Object.hasOwn(foreign, name) ? foreign[name] : undefined;
  if (instead !== undefined) return instead;
  const meant = suggest(name, known);
  return meant === null ? `no such option (there are ${known.join(', ')})` : `no such option, did you mean ${meant}?`;
}
