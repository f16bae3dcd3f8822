import { describe, expect, test } from 'vitest';
import type { SessionId } from './ids.ts';
import { Suspects, servedMin, suspectsMax, suspicionMs } from './suspects.ts';

const session = 'a session' as SessionId;
const route = Suspects.route('GET', '/crash?x=1');

describe('suspects', () => {
  test('route: the query does not count, the method does', () => {
    expect(route).toBe('GET /crash');
    expect(Suspects.route('POST', '/crash')).not.toBe(route);
  });

  test('one death: the route is watched for a minute', () => {
    const suspects = new Suspects();
    expect(suspects.standing(route, null, 0).kind).toBe('free');
    expect(suspects.note(route, null, ['n1.1'], 0)).toBe(false);
    expect(suspects.standing(route, null, suspicionMs - 1).kind).toBe('watched');
    expect(suspects.standing('GET /', null, 1).kind).toBe('free');
    expect(suspects.standing(route, null, suspicionMs).kind).toBe('free');
  });

  test('two deaths of one session: refused for a minute, then not', () => {
    const suspects = new Suspects();
    expect(suspects.note(route, session, ['n1.1'], 0)).toBe(false);
    expect(suspects.note('GET /b', session, ['n1.1'], 5)).toBe(false);
    expect(suspects.note('GET /b', session, ['n2.1'], 10)).toBe(true);
    expect(suspects.standing('GET /c', session, 20)).toEqual({
      kind: 'refused',
      why: 'session',
      forMs: suspicionMs - 10,
    });
    expect(suspects.standing('GET /c', session, suspicionMs + 10).kind).toBe('free');
  });

  test('two deaths further apart than a minute: not refused', () => {
    const suspects = new Suspects();
    suspects.note(route, session, ['n1.1'], 0);
    expect(suspects.note(route, session, ['n2.1'], suspicionMs)).toBe(false);
  });

  test('a route without a session that ended three workers: refused for a minute', () => {
    const suspects = new Suspects();
    suspects.note(route, null, ['n1.1', 'n2.1'], 0);
    expect(suspects.standing(route, null, 1).kind).toBe('watched');
    suspects.note(route, null, ['n3.1'], 1);
    expect(suspects.standing(route, null, 2)).toMatchObject({ kind: 'refused', why: 'route' });
  });

  test('a watched route that is served again and again: free, and its deaths are forgotten', () => {
    const suspects = new Suspects();
    suspects.note(route, null, ['n1.1', 'n2.1'], 0);
    for (let served = 1; served < servedMin; served += 1) suspects.served(route);
    expect(suspects.standing(route, null, 1).kind).toBe('watched');
    suspects.served(route);
    expect(suspects.standing(route, null, 1).kind).toBe('free');
    suspects.note(route, null, ['n3.1'], 2);
    expect(suspects.standing(route, null, 3).kind).toBe('watched');
  });

  test('a route that is served now and then between its deaths: refused at the third', () => {
    const suspects = new Suspects();
    for (const [at, address] of ['n1.1', 'n2.1', 'n3.1'].entries()) {
      suspects.note(route, null, [address], at);
      for (let served = 1; served < servedMin; served += 1) suspects.served(route);
    }
    expect(suspects.standing(route, null, 4)).toMatchObject({ kind: 'refused', why: 'route' });
  });

  test('a session that ended two workers stays refused when its route is free again', () => {
    const suspects = new Suspects();
    suspects.note(route, session, ['n1.1', 'n2.1'], 0);
    for (let served = 0; served < servedMin; served += 1) suspects.served(route);
    expect(suspects.standing(route, null, 1).kind).toBe('free');
    expect(suspects.standing(route, session, 1)).toMatchObject({ kind: 'refused', why: 'session' });
  });

  test('many culprits: bounded, the oldest is forgotten', () => {
    const suspects = new Suspects();
    for (let at = 0; at <= suspectsMax; at++) suspects.note(`GET /${at}`, null, ['n1.1'], 0);
    expect(suspects.standing('GET /0', null, 1).kind).toBe('free');
    expect(suspects.standing(`GET /${suspectsMax}`, null, 1).kind).toBe('watched');
  });
});
