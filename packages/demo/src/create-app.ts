import { fileURLToPath } from 'node:url';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { session } from 'limpet';
import { apiRoutes } from './api-routes.ts';
import { counterRoutes } from './counter-routes.ts';
import { startClock } from './facts.ts';
import { html } from './html.ts';
import { openPage } from './layout.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { pageRoutes } from './page-routes.ts';
import { refuseOtherOrigins, setHeaders } from './security.ts';

const assets = fileURLToPath(new URL('../public/', import.meta.url));

const notFound: RequestHandler = (req, res) => {
  res.status(404);
  if (req.path.startsWith('/api/')) res.json({ error: 'no such thing' });
  else res.send(openPage('Not found', html`<h1>Not found</h1><p><a href="/">To the start</a></p>`));
};

const statusOf = (error: unknown): number => {
  const status: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'status') : undefined;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
};

/** Says that something failed, without saying what: the reason is in the log, not in somebody's browser. */
const failed: ErrorRequestHandler = (error, req, res, next) => {
  if (res.headersSent) return next(error);
  const status = statusOf(error);
  if (status >= 500) console.error(error);
  res.status(status);
  if (req.path.startsWith('/api/')) res.json({ error: status < 500 ? 'not understood' : 'something failed' });
  else res.send(openPage('Failed', html`<h1>That did not work</h1><p><a href="/">To the start</a></p>`));
};

/** The demo app. A request walks down this list. */
export function createApp(ledger: Ledger = openLedger()): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', 'loopback');
  app.use(startClock, setHeaders);
  app.use(express.static(assets, { index: false }));
  app.use(refuseOtherOrigins);
  app.use(express.json({ limit: '16kb' }), express.urlencoded({ extended: false, limit: '16kb' }));
  app.use(session());
  app.use('/api', counterRoutes(), apiRoutes(ledger));
  app.use(pageRoutes(ledger));
  app.use(notFound, failed);
  return app;
}
