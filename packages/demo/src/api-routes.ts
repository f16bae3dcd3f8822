import { type Request, type Response, Router } from 'express';
import { transfer } from './deeds.ts';
import { factsOf, noteMove, type Source, summaryOf } from './facts.ts';
import { readAccount, readPreferences } from './input.ts';
import type { Ledger } from './ledger.ts';
import { nodeName } from './place.ts';
import { defaultPreferences, endSession, sessionOf, startSession } from './state.ts';
import type { Summary } from './summary.ts';
import { emptyPurse } from './transfer.ts';

/** The same as the pages, as JSON. Every answer of somebody signed in has the facts of `factsOf` beside its data. */
export function apiRoutes(ledger: Ledger): Router {
  const routes = Router();
  routes.use(noteMove);

  const send = (req: Request, res: Response, source: Source, data: object): void => {
    res.json({ account: sessionOf(req).account, ...factsOf(req, res, source), ...data });
  };

  /** The account of this session; answers 401 and gives null when there is none. */
  function accountOf(req: Request, res: Response): string | null {
    const { account = null } = sessionOf(req);
    if (account === null) res.status(401).json({ error: 'not signed in', node: nodeName });
    return account;
  }

  const withSummary =
    (pick: (summary: Summary, req: Request) => object) =>
    async (req: Request, res: Response): Promise<void> => {
      const account = accountOf(req, res);
      if (account === null) return;
      const { summary, source } = await summaryOf(sessionOf(req), account, ledger);
      send(req, res, source, pick(summary, req));
    };

  const balanceCents = (summary: Summary, req: Request): number =>
    summary.balanceCents - (sessionOf(req).purse ?? emptyPurse).sentCents;

  routes.get('/me', (req, res) => {
    if (accountOf(req, res) !== null) send(req, res, 'session', {});
  });
  routes.post('/sign-in', async (req, res) => {
    const account = readAccount(req);
    if (account === null) {
      res.status(400).json({ error: 'an account name of 1 to 40 characters is needed' });
      return;
    }
    const session = await startSession(req);
    session.account = account;
    if (nodeName !== null) session.seen = { node: nodeName, at: Date.now() };
    send(req, res, 'session', {});
  });
  routes.post('/sign-out', async (req, res) => {
    await endSession(req);
    res.json({ node: nodeName });
  });
  routes.get(
    '/overview',
    withSummary((summary, req) => ({
      overview: {
        entries: summary.entries,
        categories: summary.categories,
        balanceCents: balanceCents(summary, req),
      },
    })),
  );
  routes.get(
    '/balance',
    withSummary((summary, req) => ({ balanceCents: balanceCents(summary, req) })),
  );
  routes.get(
    '/transactions',
    withSummary((summary, req) => ({
      transfers: (sessionOf(req).purse ?? emptyPurse).transfers.map(({ key: _, ...shown }) => shown),
      transactions: summary.recent,
    })),
  );
  routes.post('/transfer', async (req, res) => {
    const account = accountOf(req, res);
    if (account === null) return;
    const result = await transfer(req, account, ledger);
    if (result.kind === 'refused') {
      res.status(result.status).json({ error: result.why, node: nodeName });
      return;
    }
    const { id, payee, cents, at } = result.transfer;
    const { summary } = await summaryOf(sessionOf(req), account, ledger);
    send(req, res, 'session', {
      transfer: { id, payee, cents, at },
      repeated: result.kind === 'repeated',
      balanceCents: balanceCents(summary, req),
    });
  });
  routes.get('/preferences', (req, res) => {
    if (accountOf(req, res) !== null)
      send(req, res, 'session', { preferences: sessionOf(req).preferences ?? defaultPreferences });
  });
  routes.post('/preferences', (req, res) => {
    if (accountOf(req, res) === null) return;
    const session = sessionOf(req);
    session.preferences = readPreferences(req, session.preferences);
    send(req, res, 'session', { preferences: session.preferences });
  });
  return routes;
}
