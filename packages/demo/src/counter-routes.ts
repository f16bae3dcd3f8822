import { randomUUID } from 'node:crypto';
import { Router } from 'express';
import { nodeName } from './place.ts';
import { sessionOf } from './state.ts';

/** What every answer of the counter says. */
export interface CounterAnswer {
  /** Drawn when the session was first counted up: another marker is another session. Null when it never was. */
  readonly marker: string | null;
  readonly counter: number;
  readonly node: string | null;
}

/** A number in the session that `npm run load` counts up and checks. Looking at it makes no session. */
export function counterRoutes(): Router {
  const routes = Router();
  routes.get('/counter', (req, res) => {
    const { marker = null, counter = 0 } = sessionOf(req);
    res.json({ marker, counter, node: nodeName } satisfies CounterAnswer);
  });
  routes.post('/counter', (req, res) => {
    const session = sessionOf(req);
    const marker = session.marker ?? randomUUID();
    if (session.marker === undefined) session.marker = marker;
    const counter = (session.counter ?? 0) + 1;
    session.counter = counter;
    res.json({ marker, counter, node: nodeName } satisfies CounterAnswer);
  });
  return routes;
}
