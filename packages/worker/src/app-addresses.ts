import { type AddressInfo, isIP, type Server, type Socket } from 'node:net';

/** The address an app asked to listen on, as `server.address()` would have said it. */
export function askedAddress(host: string | null, port: number): AddressInfo {
  // Without a host Node listens on every address, IPv6 first. A name is not looked up: every one that makes sense here is this machine.
  const address = host === null ? '::' : isIP(host) === 0 ? '127.0.0.1' : host;
  return { address, family: isIP(address) === 6 ? 'IPv6' : 'IPv4', port };
}

/** `server.address()` answers what was asked for: frameworks print it, and read the port back. */
export function presentAddress(server: Server, asked: AddressInfo): void {
  Object.defineProperty(server, 'address', {
    configurable: true,
    writable: true,
    value: () => (server.listening ? { ...asked } : null),
  });
}

const firstPort = 1024;
const ports = 65_535 - firstPort;
let connections = 0;

const constant = (value: unknown): PropertyDescriptor => ({ configurable: true, enumerable: false, get: () => value });
const loopback = constant('127.0.0.1');
const ipv4 = constant('IPv4');

/**
 * Lets a connection over the Unix socket look like one from this machine over TCP. Over a bare one `req.ip` is undefined
 * and `trust proxy: 'loopback'` trusts nobody, so that `req.protocol` is http behind any front.
 */
export function presentPeer(socket: Socket, localPort: number): void {
  const local = { address: '127.0.0.1', family: 'IPv4', port: localPort };
  Object.defineProperties(socket, {
    remoteAddress: loopback,
    remoteFamily: ipv4,
    remotePort: constant(firstPort + (connections++ % ports)),
    localAddress: loopback,
    localFamily: ipv4,
    localPort: constant(localPort),
    address: { configurable: true, writable: true, value: () => ({ ...local }) },
  });
}
