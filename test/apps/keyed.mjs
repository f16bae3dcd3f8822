// What a handler may do with a request that has an Idempotency-Key. `runs` counts the handlers that have begun, in the process.
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { session } from 'limpet';

const withSession = session();
const signals = new EventEmitter();
let runs = 0;

const settle = (start) => new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
const count = (req) => {
  req.session.count = (req.session.count ?? 0) + 1;
  return req.session.count;
};

const pages = {
  '/count': (req, res) => {
    const body = `run ${runs}, count ${count(req)}`;
    res.writeHead(201, 'Made', { 'x-run': String(runs), 'set-cookie': 'a=1', 'content-type': 'text/plain' });
    res.end(body);
  },
  '/slow': async (req, res) => {
    await once(signals, 'go');
    res.end(`run ${runs}, count ${count(req)}`);
  },
  '/untouched': (_, res) => res.end(`run ${runs}`),
  '/large': (req, res) => {
    count(req);
    res.end('x'.repeat(70_000));
  },
  '/stream': (_, res) => {
    res.write('first');
    setImmediate(() => res.end('last'));
  },
  '/login': async (req, res) => {
    await settle((done) => req.session.regenerate(done));
    req.session.count = 10;
    res.end(`run ${runs}`);
  },
  '/renew': async (req, res) => {
    await req.session.renew();
    res.end(`run ${runs}`);
  },
  '/logout': async (req, res) => {
    await settle((done) => req.session.destroy(done));
    res.end(`run ${runs}`);
  },
};

createServer((req, res) => {
  const path = req.url.split('?')[0];
  if (path === '/go') return res.end(String(signals.emit('go')));
  if (path === '/runs') return res.end(String(runs));
  runs += 1;
  // Never meets session().
  if (path === '/plain') return res.end(`run ${runs}`);
  withSession(req, res, () => pages[path](req, res));
}).listen(process.env.PORT);
