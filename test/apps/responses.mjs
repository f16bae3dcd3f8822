// Every kind of response, each after a change of the session, and the session's count to look at afterwards.
import { createReadStream, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { session } from '@limpet/session';

const withSession = session();
const big = 5 * 1024 * 1024;
const bigFile = process.argv[2];
writeFileSync(bigFile, Buffer.alloc(big, 'f'));

async function download(res) {
  const piece = Buffer.alloc(64 * 1024, 'd');
  res.writeHead(200, { 'content-type': 'application/octet-stream' });
  let most = 0;
  for (let sent = 0; sent < 200 * 16; sent++) {
    if (!res.write(piece)) await new Promise((resolve) => res.once('drain', resolve));
    if (sent % 64 === 0) most = Math.max(most, process.memoryUsage.rss());
  }
  peak = most;
  res.end();
}
let peak = 0;

const kinds = {
  json: (res) => res.writeHead(200, { 'content-type': 'application/json' }).end('{"a":1}'),
  empty: (res) => res.end(),
  buffer: (res) => res.end(Buffer.from('bytes')),
  writes: (res) => {
    res.write('a');
    res.write('b');
    res.end('c');
  },
  redirect: (res) => res.writeHead(302, { location: '/json' }).end(),
  created: (res) => res.writeHead(201).end('made'),
  error: (res) => res.writeHead(500).end('broken'),
  none: (res) => res.writeHead(204).end(),
  unchanged: (res) => res.writeHead(304).end(),
  hints: (res) => {
    res.writeEarlyHints({ link: '</a.css>; rel=preload' });
    res.end('hinted');
  },
  processing: (res) => {
    res.writeProcessing();
    res.end('processed');
  },
  flush: (res) => {
    res.flushHeaders();
    setTimeout(() => res.end('flushed'), 20);
  },
  late: (res, req) => {
    res.flushHeaders();
    setTimeout(() => {
      req.session.late = true;
      res.end('late');
    }, 20);
  },
  pipe: (res) => createReadStream(bigFile).pipe(res),
  large: (res) => res.end('l'.repeat(big)),
  latin: (res) => res.writeHead(200, { 'x-name': 'caf\u00e9' }).end('\u00e9\u20ac'),
  trailers: (res) => {
    res.writeHead(200, { trailer: 'x-sum' });
    res.write('body');
    res.addTrailers({ 'x-sum': '7' });
    res.end();
  },
  unframed: (res) => {
    res.removeHeader('Transfer-Encoding');
    res.write('un');
    res.end('framed');
  },
  events: (res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    res.write(`data: ${Date.now()}\n\n`);
    setTimeout(() => res.end('data: end\n\n'), 200);
  },
  download,
};

const server = createServer((req, res) => {
  const name = req.url.slice(1);
  if (name === 'free') return res.end('free');
  if (name === 'peak') return res.end(JSON.stringify({ peak, now: process.memoryUsage.rss() }));
  if (name === 'echo') return req.pipe(res);
  withSession(req, res, (error) => {
    if (error) return res.writeHead(500).end(error.message);
    if (name === 'count')
      return res.end(JSON.stringify({ count: req.session.count ?? 0, late: req.session.late ?? false }));
    req.session.count = (req.session.count ?? 0) + 1;
    kinds[name](res, req);
  });
});
server.on('upgrade', (_req, socket) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: Upgrade\r\n\r\n');
  socket.pipe(socket);
});
server.listen(process.env.PORT);
