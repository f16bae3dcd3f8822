import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { contentPolicy, renderPage } from './admin-page.ts';
import { portError } from './listener.ts';
import type { Status } from './status.ts';

/** The admin port. It shows; it changes nothing. */
export interface Admin {
  readonly url: string;
  close(): Promise<void>;
}

/** Listens on the admin port. Rejects with LIMPET_PORT_IN_USE or LIMPET_PORT_REFUSED. */
export function openAdmin(host: string, port: number, status: () => Status): Promise<Admin> {
  const server = createServer((req, res) => answer(req, res, host, status));
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(portError(error.code ?? error.message, host, port, '--admin-port')),
    );
    server.listen({ host, port }, () => resolve({ url: urlOf(host, portOf(server, port)), close: () => end(server) }));
  });
}

/** A server on a TCP port has an address with that port. */
function portOf(server: Server, asked: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : asked;
}

function end(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** The URL of a port for people on this machine: a wildcard address is not one that can be visited. */
export function urlOf(host: string, port: number, scheme: 'http' | 'https' = 'http'): string {
  const visible = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme}://${isIP(visible) === 6 ? `[${visible}]` : visible}:${port}`;
}

function answer(req: IncomingMessage, res: ServerResponse, host: string, status: () => Status): void {
  res.setHeader('cache-control', 'no-store');
  res.setHeader('x-content-type-options', 'nosniff');
  const path = (req.url ?? '/').split('?', 1)[0];
  if (!isOwnHost(req.headers.host, host)) refuse(res, 403, 'this name does not belong to the admin port');
  else if (path !== '/' && path !== '/api/status') refuse(res, 404, 'there is / and /api/status');
  else if (req.method !== 'GET' && req.method !== 'HEAD') {
    res.setHeader('allow', 'GET, HEAD');
    refuse(res, 405, 'this port only shows');
  } else if (path === '/api/status') send(res, 200, 'application/json; charset=utf-8', `${JSON.stringify(status())}\n`);
  else {
    res.setHeader('content-security-policy', contentPolicy);
    res.setHeader('referrer-policy', 'no-referrer');
    send(res, 200, 'text/html; charset=utf-8', renderPage(status()));
  }
}

const refuse = (res: ServerResponse, code: number, why: string): void =>
  send(res, code, 'text/plain; charset=utf-8', `${why}\n`);

function send(res: ServerResponse, code: number, type: string, body: string): void {
  res.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

/**
 * DNS rebinding: a page of evil.example whose name is made to point at 127.0.0.1 could read this port with the
 * visitor's browser. Such a request carries that name as its host; addresses and loopback names cannot be rebound.
 */
export function isOwnHost(header: string | undefined, configured: string): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(header ?? '');
  const name = match?.[1]?.toLowerCase();
  if (name === undefined) return false;
  if (name.startsWith('[')) return isIP(name.slice(1, -1)) === 6;
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost') || name === configured.toLowerCase();
}
