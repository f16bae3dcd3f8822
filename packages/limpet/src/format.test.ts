import type { DeathReport } from '@limpet/supervisor';
import { expect, test } from 'vitest';
import { formatBanner, formatReady, planTries } from './format-banner.ts';
import { formatDeath, formatKill, formatReason, ms } from './format-death.ts';
import { formatStatus } from './format-status.ts';

const facts = {
  version: '0.1.0',
  nodes: 4,
  balancers: 1,
  store: 'buddy',
  copies: 2,
  url: 'http://127.0.0.1:8080',
  adminUrl: 'http://127.0.0.1:9090',
  tries: ['npm run kill -- n2', 'npm run load', 'npm run status'],
} as const;

const death: DeathReport = {
  node: 'n2',
  incarnation: 1,
  pid: 4711,
  how: 'SIGKILL',
  cause: 'killed',
  error: null,
  at: 1_700_000_000_000,
  view: { term: 1, number: 8 },
  sessions: 151,
  took: { n4: 50, n1: 52, n3: 49 },
  lost: 0,
  lostIsExact: true,
  detectedMs: 2.31,
  publishedMs: 2.69,
  diskMs: 1.4,
  servedAfterMs: 9,
  copiesAfterMs: 140.4,
  backAfterMs: 610,
  complete: true,
};

test('banner: four nodes: as the design shows it', () => {
  expect([...formatBanner(facts), formatReady(912)].join('\n')).toBe(
    `limpet 0.1.0 · 4 nodes · 1 balancer · every session on 2 nodes
  app    http://127.0.0.1:8080     admin  http://127.0.0.1:9090
  try    npm run kill -- n2   ·   npm run load   ·   npm run status
ready in 0.9 s`,
  );
});

test('banner: fewer copies than usual: it says what that means', () => {
  const first = (changed: object) => formatBanner({ ...facts, ...changed })[0];
  expect(first({ nodes: 1 })).toContain('1 node · 1 balancer · one node: nothing is copied, sessions die with it');
  expect(first({ store: 'memory' })).toContain('sessions die with their node');
  expect(first({ copies: 1, balancers: 2 })).toContain('2 balancers · copies 1: sessions die with their node');
  expect(first({ nodes: 2, copies: 3 })).toContain('every session on 2 nodes');
});

test('banner: tries: in the words that work where the start was typed', () => {
  const npm = { npm_lifecycle_event: 'start' };
  expect(planTries({ environment: npm, scripts: ['kill', 'load', 'status'], runDir: null, nodes: 4 })).toEqual(
    facts.tries,
  );
  expect(planTries({ environment: npm, scripts: [], runDir: null, nodes: 4 })[0]).toBe('npx limpet kill n2');
  expect(planTries({ environment: npm, scripts: ['kill'], runDir: '/srv/a b', nodes: 1 })).toEqual([
    'npm run kill -- n1 --run-dir "/srv/a b"',
    'npx limpet status --run-dir "/srv/a b"',
  ]);
  expect(planTries({ environment: {}, scripts: ['kill'], runDir: null, nodes: 4 })).toEqual([
    'npx limpet kill n2',
    'npx limpet status',
  ]);
});

test('death line: everything known: as the design shows it', () => {
  expect(formatDeath(death)).toBe(
    'n2 died (SIGKILL) · 151 sessions: n1 52, n3 49, n4 50 · served again after 9 ms · copies complete after 140 ms · n2 back after 610 ms',
  );
});

test('death line: some of it never came: it is left out, not invented', () => {
  const partly = { ...death, took: {}, servedAfterMs: null, copiesAfterMs: null, backAfterMs: null };
  expect(formatDeath({ ...partly, sessions: 1, lost: 1 })).toBe('n2 died (SIGKILL) · 1 session: lost 1');
  expect(formatDeath({ ...partly, sessions: 0, how: 'exit 1', error: 'Error: no' })).toBe(
    'n2 died (exit 1) · 0 sessions',
  );
  expect(formatDeath({ ...partly, sessions: null, lost: null })).toBe('n2 died (SIGKILL) · sessions not counted');
});

test('reason: the app wrote an error of its own: it is not said again', () => {
  const said = 'its own error is shown above';
  expect(formatReason('TypeError [ERR_X]: no')).toBe(said);
  expect(formatReason('Error: no database today')).toBe(said);
  expect(formatReason('it does not listen')).toBe('it does not listen');
});

test('kill: its report: every figure on a line of its own', () => {
  expect(formatKill(death)).toEqual([
    'n2 died (SIGKILL)',
    '  detected after             2.3 ms',
    '  buddies promoted after     5 ms',
    '  first success after        9 ms',
    '  sessions                   151 sessions: n1 52, n3 49, n4 50',
    '  with one copy only for     140 ms',
    '  n2 back after              610 ms',
  ]);
});

test('figures: milliseconds: a tenth below ten, seconds from ten thousand', () => {
  expect([0.44, 9, 9.96, 10.4, 9999, 12_345].map(ms)).toEqual([
    '0.4 ms',
    '9 ms',
    '10.0 ms',
    '10 ms',
    '9999 ms',
    '12.3 s',
  ]);
});

test('status: a node is suspect: what it is suspected of, not that it was started anew', () => {
  const up = {
    pid: 10,
    incarnation: 1,
    mode: 'ready',
    version: 'v1',
    inFlight: 0,
    givenUp: false,
    ports: [],
    leaving: false,
    paused: false,
  } as const;
  const sessions = { primary: 0, buddy: 0 };
  const lines = formatStatus({
    ...{
      settled: true,
      unprotected: 0,
      lost: 0,
      lostIsExact: true,
      store: 'buddy',
      copies: 2,
      url: '',
      admin: { url: '' },
      supervisor: { pid: 1 },
    },
    ...{ view: { term: 1, number: 7 }, balancers: [] },
    nodes: [
      { ...up, id: 'n1', health: 'suspect', sessions, reason: 'its loop has been blocked for 1.4 s' },
      { ...up, id: 'n2', health: 'alive', sessions, reason: null },
    ],
  });
  expect(lines).toContain('n1 is suspect: its loop has been blocked for 1.4 s');
});

test('status: a node is down: its reason stands below the table', () => {
  const up = {
    id: 'n1',
    pid: 10,
    incarnation: 1,
    health: 'alive',
    mode: 'ready',
    version: 'v1',
    inFlight: 0,
    leaving: false,
    paused: false,
  } as const;
  const facts = { settled: false, unprotected: 3, lost: 0, lostIsExact: true, store: 'buddy', copies: 2 } as const;
  const lines = formatStatus({
    ...facts,
    view: { term: 1, number: 7 },
    url: 'http://127.0.0.1:8080',
    admin: { url: 'http://127.0.0.1:9090' },
    supervisor: { pid: 1 },
    balancers: [{ id: 'b1', pid: 2 }],
    nodes: [
      { ...up, sessions: { primary: 12, buddy: 3 }, reason: null, givenUp: false, ports: ['9464 is 127.0.0.1:40001'] },
      {
        ...up,
        id: 'n2',
        pid: null,
        health: 'dead',
        sessions: { primary: 0, buddy: 0 },
        reason: 'exit 1',
        givenUp: true,
        ports: [],
      },
    ],
  });
  expect(lines.join('\n')).toBe(`app http://127.0.0.1:8080   admin http://127.0.0.1:9090
view 1.7 · copying, 3 sessions short of copies · supervisor pid 1 · b1 pid 2

node  pid  start  health  mode   version  primary of  buddy of  in flight
n1    10   #1     alive   ready  v1       12          3         0
n2    -    #1     dead    ready  v1       0           0         0
n2 stays down: exit 1
n1: 9464 is 127.0.0.1:40001
two nodes: when one dies, the other carries the load of both`);
});
