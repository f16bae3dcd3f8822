/** Request targets and hosts. Path and query are never parsed and rebuilt: they go upstream byte for byte. */

export type Target =
  | { readonly kind: 'origin'; readonly path: string; readonly authority: string | null }
  | { readonly kind: 'asterisk' }
  | { readonly kind: 'bad'; readonly why: string };

const absolute = /^https?:\/\/([^/?#]*)(.*)$/is;
const hostPattern = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/;

/** Whether `host` may stand in a Host header: a name or address and a port, nothing that a parser could read in two ways. */
export const isHost = (host: string): boolean => host.length <= 255 && hostPattern.test(host);

/** Whether the target of a CONNECT is one (RFC 9112 §3.2.3): a host and a port from 1 to 65535. */
export function isAuthority(target: string): boolean {
  const port = Number(/:([0-9]{1,5})$/.exec(target)?.[1] ?? 0);
  return isHost(target) && port >= 1 && port <= 65_535;
}

/** What a request target means for this method (RFC 9112 §3.2). Absolute form becomes origin form with its own host. */
export function parseTarget(method: string, target: string): Target {
  if (target.includes('#')) return { kind: 'bad', why: 'a fragment in the target' };
  if (target.startsWith('/')) return { kind: 'origin', path: target, authority: null };
  if (target === '*') {
    return method === 'OPTIONS' ? { kind: 'asterisk' } : { kind: 'bad', why: 'the target * with another method' };
  }
  const match = absolute.exec(target);
  const authority = match?.[1] ?? '';
  if (match === null || !isHost(authority)) return { kind: 'bad', why: 'the request target' };
  const rest = match[2] ?? '';
  // The whole server was meant, and the last proxy says so with an asterisk (RFC 9112 §3.2.4).
  if (rest === '' && method === 'OPTIONS') return { kind: 'asterisk' };
  return { kind: 'origin', path: rest.startsWith('/') ? rest : `/${rest}`, authority };
}
