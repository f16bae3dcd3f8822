import { randomUUID } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import { transfer } from './deeds.ts';
import { factsOf, noteMove, summaryOf } from './facts.ts';
import type { Html } from './html.ts';
import { readAccount, readPreferences } from './input.ts';
import { openPage, page } from './layout.ts';
import type { Ledger } from './ledger.ts';
import { balancePage, overviewPage, preferencesPage, signInPage, transactionsPage, transferPage } from './pages.ts';
import { nodeName } from './place.ts';
import { defaultPreferences, endSession, type Preferences, sessionOf, startSession } from './state.ts';
import type { Summary } from './summary.ts';
import { emptyPurse, type Purse } from './transfer.ts';

type Render = (summary: Summary, purse: Purse, preferences: Preferences) => Html;

/** The pages for people. */
export function pageRoutes(ledger: Ledger): Router {
  const routes = Router();
  routes.use(noteMove);

  /** Shows a page that needs the sums, or sends whoever is not signed in to the start. */
  async function show(req: Request, res: Response, title: string, path: string, render: Render): Promise<void> {
    const session = sessionOf(req);
    const { account } = session;
    if (account === undefined) return res.redirect(303, '/');
    const { summary, source } = await summaryOf(session, account, ledger);
    const preferences = session.preferences ?? defaultPreferences;
    const content = render(summary, session.purse ?? emptyPurse, preferences);
    res.send(page(title, path, account, preferences, factsOf(req, res, source), content));
  }

  routes.get('/', (req, res) => {
    if (sessionOf(req).account !== undefined) res.redirect(303, '/overview');
    else res.send(openPage('Sign in', signInPage(null)));
  });
  routes.post('/sign-in', async (req, res) => {
    const account = readAccount(req);
    if (account === null) {
      res.status(400).send(openPage('Sign in', signInPage('A name of 1 to 40 characters is needed.')));
      return;
    }
    const session = await startSession(req);
    session.account = account;
    if (nodeName !== null) session.seen = { node: nodeName, at: Date.now() };
    res.redirect(303, '/overview');
  });
  routes.post('/sign-out', async (req, res) => {
    await endSession(req);
    res.redirect(303, '/');
  });

  routes.get('/overview', (req, res) => show(req, res, 'Overview', '/overview', overviewPage));
  routes.get('/balance', (req, res) => show(req, res, 'Balance', '/balance', balancePage));
  routes.get('/transactions', (req, res) => show(req, res, 'Transactions', '/transactions', transactionsPage));

  routes.get('/transfer', (req, res) =>
    show(req, res, 'Transfer', '/transfer', (summary, purse, preferences) => {
      const done = purse.transfers.find((made) => made.id === req.query.done) ?? null;
      return transferPage({ key: randomUUID(), problem: null, done }, summary, purse, preferences);
    }),
  );
  routes.post('/transfer', async (req, res) => {
    const { account } = sessionOf(req);
    if (account === undefined) return res.redirect(303, '/');
    const result = await transfer(req, account, ledger);
    if (result.kind !== 'refused') return res.redirect(303, `/transfer?done=${result.transfer.id}`);
    res.status(result.status);
    const form = { key: randomUUID(), problem: `Not sent: ${result.why}.`, done: null };
    await show(req, res, 'Transfer', '/transfer', (...data) => transferPage(form, ...data));
  });

  routes.get('/preferences', (req, res) => {
    const { account, preferences = defaultPreferences } = sessionOf(req);
    if (account === undefined) return res.redirect(303, '/');
    const facts = factsOf(req, res, 'session');
    res.send(page('Preferences', '/preferences', account, preferences, facts, preferencesPage(preferences)));
  });
  routes.post('/preferences', (req, res) => {
    const session = sessionOf(req);
    if (session.account === undefined) return res.redirect(303, '/');
    session.preferences = readPreferences(req, session.preferences);
    res.redirect(303, '/preferences');
  });
  return routes;
}
