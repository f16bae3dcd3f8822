import { BlockList, isIP } from 'node:net';
import { isHost } from './target.ts';

/** Proxies in front whose X-Forwarded-* are believed. */
export type Trust = (address: string) => boolean;

const loopback = ['127.0.0.0/8', '::1'];

/** The trust in these addresses and CIDR blocks, `loopback` among them. An entry that is neither is passed over: the options check names it. */
export function createTrust(entries: readonly string[]): Trust {
  if (entries.length === 0) return () => false;
  const list = new BlockList();
  for (const entry of entries.flatMap((one) => (one === 'loopback' ? loopback : [one]))) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) continue;
    if (prefix === undefined) list.addAddress(address, family);
    else if (/^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= (family === 'ipv6' ? 128 : 32)) {
      list.addSubnet(address, Number(prefix), family);
    }
  }
  return (address) => isIP(address) !== 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** An address as people write it: IPv4 without the IPv6 mapping a dual-stack listener shows. */
export const plainAddress = (address: string | undefined): string =>
  address === undefined ? '' : address.startsWith('::ffff:') ? address.slice(7) : address;

/** What the client's own X-Forwarded-* lines said. */
export interface Claimed {
  readonly for: string | undefined;
  readonly proto: string | undefined;
  readonly host: string | undefined;
}

/** The other end of the connection. */
export interface Peer {
  readonly address: string;
  readonly isSecure: boolean;
}

/** The lines the worker gets, alternating name and value. Without trust they say only what this connection shows. */
export function forwardedLines(
  { address, isSecure }: Peer,
  host: string,
  claimed: Claimed,
  isTrusted: boolean,
): string[] {
  const chain = isTrusted && claimed.for !== undefined ? `${claimed.for}, ${address}` : address;
  const own = isSecure ? 'https' : 'http';
  const outerProto = claimed.proto?.toLowerCase();
  const proto = isTrusted && (outerProto === 'https' || outerProto === 'http') ? outerProto : own;
  const outer = isTrusted && claimed.host !== undefined && isHost(claimed.host) ? claimed.host : host;
  return ['X-Forwarded-For', chain, 'X-Forwarded-Proto', proto, 'X-Forwarded-Host', outer];
}
