import { describe, expect, test } from 'vitest';
import { type KeyName, nodeIdAt, parseRequestId, type RequestId } from './ids.ts';
import type { Death, LogEntry } from './messages.ts';
import {
  type AttemptEnd,
  type Attempted,
  attemptsMax,
  decideNext,
  decideOutcome,
  decideRepeated,
  decideRetried,
  decideSuspicion,
  isIdempotent,
  isSafe,
  type Next,
  type Prior,
  reroutesMax,
  type Suspicion,
} from './retry.ts';

const base: Attempted = {
  method: 'GET',
  declared: false,
  hasSession: false,
  replayable: true,
  out: false,
  end: { kind: 'unsent' },
  attempts: 1,
  reroutes: 0,
  deaths: 0,
  suspected: 0,
  cleared: 0,
  prior: null,
};
const died = (back: 'nothing' | 'head' | 'part', suspicion: Suspicion = 'none'): AttemptEnd => ({
  kind: 'died',
  back,
  suspicion,
});

/** `again`, its prior and marks; or the outcome, its status and marks. */
const spell = (next: Next): string => {
  switch (next.kind) {
    case 'cut':
      return 'cut';
    case 'again':
      return `again ${next.prior}${next.refresh ? ' refresh' : ''}${next.serial ? ' serial' : ''}`;
    case 'answer':
      return `${next.outcome} ${next.status}${next.culprit ? ' culprit' : ''}`;
  }
};

describe('what follows an attempt', () => {
  const rows: readonly [what: string, attempted: Partial<Attempted>, next: string][] = [
    ['nothing sent: any method', { method: 'POST' }, 'again null'],
    ['nothing sent, body gone', { method: 'POST', replayable: false }, 'not-executed 503'],
    ['nothing sent, earlier attempt died', { method: 'GET', replayable: false, prior: 'nothing' }, 'unknown 502'],
    ['421: any method', { method: 'POST', end: { kind: 'refused' }, reroutes: 1 }, 'again null refresh'],
    ['421: earlier attempt kept', { end: { kind: 'refused' }, reroutes: 1, prior: 'head' }, 'again head refresh'],
    ['421 thrice', { end: { kind: 'refused' }, reroutes: reroutesMax }, 'again null refresh'],
    ['421 four times', { end: { kind: 'refused' }, reroutes: reroutesMax + 1 }, 'not-executed 503'],
    [
      '421 after the body was streamed',
      { end: { kind: 'refused' }, reroutes: 1, replayable: false },
      'not-executed 503',
    ],

    ['died, nothing back, GET', { end: died('nothing'), deaths: 1 }, 'again nothing'],
    ['died, nothing back, DELETE', { method: 'DELETE', end: died('nothing'), deaths: 1 }, 'again nothing'],
    ['died, nothing back, POST', { method: 'POST', end: died('nothing'), deaths: 1 }, 'unknown 502'],
    [
      'died, nothing back, POST of a session',
      { method: 'POST', hasSession: true, end: died('nothing'), deaths: 1 },
      'again nothing',
    ],
    ['died, head back, GET', { end: died('head'), deaths: 1 }, 'again head'],
    ['died, head back, POST', { method: 'POST', end: died('head'), deaths: 1 }, 'executed 502'],
    [
      'died, part back, POST of a session',
      { method: 'POST', hasSession: true, end: died('part'), deaths: 1 },
      'again head',
    ],
    ['died, body gone', { method: 'PUT', replayable: false, end: died('nothing'), deaths: 1 }, 'unknown 502'],
    ['died, something out', { out: true, end: died('part'), deaths: 1 }, 'cut'],
    [
      'died a second time, killed',
      { end: died('nothing'), deaths: 2, cleared: 2, attempts: 2, prior: 'nothing' },
      'unknown 502',
    ],
    [
      'died, a head of an earlier attempt is not forgotten',
      { method: 'POST', end: died('nothing'), deaths: 2, prior: 'head' },
      'executed 502',
    ],
    ['died, too many attempts', { end: died('nothing'), deaths: 1, attempts: attemptsMax }, 'unknown 502'],

    ['suspect alone', { end: died('nothing', 'alone'), deaths: 1, suspected: 1 }, 'unknown 502 culprit'],
    [
      'suspect alone, session',
      { method: 'POST', hasSession: true, end: died('nothing', 'alone'), deaths: 1, suspected: 1 },
      'unknown 502 culprit',
    ],
    ['suspect alone, head back', { end: died('head', 'alone'), deaths: 1, suspected: 1 }, 'executed 502 culprit'],
    ['suspect among several', { end: died('nothing', 'among'), deaths: 1, suspected: 1 }, 'again nothing serial'],
    [
      'suspect among several, POST',
      { method: 'POST', end: died('nothing', 'among'), deaths: 1, suspected: 1 },
      'unknown 502',
    ],
    [
      'suspect twice',
      { end: died('nothing', 'among'), deaths: 2, suspected: 2, prior: 'nothing' },
      'unknown 502 culprit',
    ],
    [
      'suspect, then killed',
      { end: died('nothing'), deaths: 2, suspected: 1, cleared: 1, prior: 'nothing' },
      'again nothing serial',
    ],
    [
      'killed, then suspect',
      { end: died('nothing', 'among'), deaths: 2, suspected: 1, cleared: 1, prior: 'nothing' },
      'again nothing serial',
    ],
    [
      'nobody knows how, then suspect',
      { end: died('nothing', 'among'), deaths: 2, suspected: 1, prior: 'nothing' },
      'unknown 502',
    ],
    [
      'killed, then nobody knows how',
      { end: died('nothing', 'unsure'), deaths: 2, cleared: 1, prior: 'nothing' },
      'unknown 502',
    ],
    ['nobody knows how', { end: died('nothing', 'unsure'), deaths: 1 }, 'again nothing'],
    [
      'suspect, then killed twice',
      { end: died('nothing'), deaths: 3, suspected: 1, cleared: 2, prior: 'nothing' },
      'unknown 502',
    ],
    [
      'suspect, killed, suspect',
      { end: died('nothing', 'among'), deaths: 3, suspected: 2, cleared: 1, prior: 'nothing' },
      'unknown 502 culprit',
    ],

    ['reset, worker alive, GET', { end: { kind: 'reset', back: 'nothing' } }, 'again nothing'],
    ['reset, worker alive, GET, again', { end: { kind: 'reset', back: 'nothing' }, prior: 'nothing' }, 'unknown 502'],
    [
      'reset, worker alive, POST',
      { method: 'POST', hasSession: true, end: { kind: 'reset', back: 'nothing' } },
      'unknown 502',
    ],
    ['reset, worker alive, POST, head back', { method: 'POST', end: { kind: 'reset', back: 'head' } }, 'executed 502'],

    [
      'died, nothing back, POST declared',
      { method: 'POST', declared: true, end: died('nothing'), deaths: 1 },
      'again nothing',
    ],
    ['died, head back, POST declared', { method: 'POST', declared: true, end: died('head'), deaths: 1 }, 'again head'],
    [
      'died a second time, POST declared',
      { method: 'POST', declared: true, end: died('nothing'), deaths: 2, attempts: 2, prior: 'nothing' },
      'unknown 502',
    ],
    [
      'died, POST declared, body gone',
      { method: 'POST', declared: true, replayable: false, end: died('nothing'), deaths: 1 },
      'unknown 502',
    ],
    [
      'died, POST declared, something out',
      { method: 'POST', declared: true, out: true, end: died('part'), deaths: 1 },
      'cut',
    ],
    [
      'suspect alone, POST declared',
      { method: 'POST', declared: true, end: died('nothing', 'alone'), deaths: 1, suspected: 1 },
      'unknown 502 culprit',
    ],
    [
      'suspect among several, POST declared',
      { method: 'POST', declared: true, end: died('nothing', 'among'), deaths: 1, suspected: 1 },
      'again nothing serial',
    ],
    [
      'reset, worker alive, POST declared',
      { method: 'POST', declared: true, end: { kind: 'reset', back: 'nothing' } },
      'unknown 502',
    ],
    ['late, POST declared', { method: 'POST', declared: true, end: { kind: 'late' } }, 'unknown 504'],

    ['late', { end: { kind: 'late' } }, 'unknown 504'],
    ['malformed', { end: { kind: 'malformed' } }, 'unknown 502'],
  ];
  for (const [what, attempted, next] of rows) {
    test(`retry: ${what}: ${next}`, () => expect(spell(decideNext({ ...base, ...attempted }))).toBe(next));
  }

  test('retry: no row: lets an unsafe method without a session run twice', () => {
    const ends: AttemptEnd[] = [
      died('nothing'),
      died('head'),
      died('part', 'among'),
      { kind: 'reset', back: 'nothing' },
      { kind: 'reset', back: 'part' },
      { kind: 'late' },
      { kind: 'malformed' },
    ];
    for (const method of ['POST', 'PATCH', 'LOCK']) {
      for (const end of ends) expect(decideNext({ ...base, method, end, deaths: 1 }).kind).toBe('answer');
    }
  });

  test('retry: certain outcome: only not-executed has a status that clients repeat', () => {
    expect(decideOutcome(null)).toEqual({ outcome: 'not-executed', status: 503 });
    expect(decideOutcome('nothing')).toEqual({ outcome: 'unknown', status: 502 });
    expect(decideOutcome('head')).toEqual({ outcome: 'executed', status: 502 });
  });

  test('methods: safe and idempotent: as RFC 9110 lists them', () => {
    expect(
      ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH', 'get'].map((m) => [isSafe(m), isIdempotent(m)]),
    ).toEqual([
      [true, true],
      [true, true],
      [true, true],
      [false, true],
      [false, true],
      [false, false],
      [false, false],
      [false, false],
    ]);
  });
});

const id = (digit: string): RequestId => parseRequestId(digit.repeat(32)) as RequestId;

describe('suspicion', () => {
  const death = (cause: Death['cause'], running: Death['running']): Death => ({
    node: nodeIdAt(1),
    incarnation: 1,
    cause,
    how: '',
    running,
  });
  const rows: readonly [string, Death | null, number, Suspicion][] = [
    ['no word of a death', null, 1, 'unsure'],
    ['nobody knows how', death('unknown', null), 1, 'unsure'],
    ['killed from outside', death('killed', null), 1, 'none'],
    ['own death, nothing named, alone here', death('self', null), 1, 'alone'],
    ['own death, nothing named, several here', death('self', null), 3, 'among'],
    ['own death, only this one named', death('self', [id('a')]), 3, 'alone'],
    ['own death, named with others', death('self', [id('a'), id('b')]), 1, 'among'],
    ['own death, others named', death('self', [id('b')]), 1, 'none'],
    ['own death, nothing was running', death('self', []), 1, 'none'],
  ];
  for (const [what, told, inFlight, suspicion] of rows) {
    test(`suspicion: ${what}: ${suspicion}`, () => expect(decideSuspicion(told, id('a'), inFlight)).toBe(suspicion));
  }
});

describe('at the worker', () => {
  const entry = (state: LogEntry['state'], answer: Uint8Array | null): LogEntry => ({
    request: id('a'),
    state,
    version: 1,
    commits: 1,
    answer,
    at: 0,
  });
  const rows: readonly [string, LogEntry | null, string, Prior, string, boolean?][] = [
    ['answer known', entry('committed', new Uint8Array(1)), 'POST', 'nothing', 'answer'],
    ['committed, answer gone', entry('committed', null), 'GET', 'head', 'executed'],
    ['carried', entry('carried', null), 'GET', 'nothing', 'unknown'],
    ['not known, GET', null, 'GET', 'nothing', 'run'],
    ['not known, GET, head seen', null, 'GET', 'head', 'run'],
    ['not known, POST', null, 'POST', 'nothing', 'unknown'],
    ['not known, POST, head seen', null, 'POST', 'head', 'executed'],
    ['not known, POST declared', null, 'POST', 'nothing', 'run', true],
    ['not known, POST declared, head seen', null, 'POST', 'head', 'run', true],
    ['committed, answer gone, POST declared', entry('committed', null), 'POST', 'nothing', 'executed', true],
    ['carried, POST declared', entry('carried', null), 'POST', 'nothing', 'unknown', true],
  ];
  for (const [what, log, method, prior, retried, declared = false] of rows) {
    test(`retried: ${what}: ${retried}`, () => expect(decideRetried(log, { method, declared }, prior)).toBe(retried));
  }

  test('a known key: the answer, or that it ran; another request under it is refused', () => {
    const kept = {
      key: 'k'.repeat(22) as KeyName,
      print: 'p',
      request: id('a'),
      answer: new Uint8Array(1),
      until: 1,
      state: 'committed' as const,
    };
    expect(decideRepeated(kept, 'p')).toBe('answer');
    expect(decideRepeated({ ...kept, answer: null }, 'p')).toBe('executed');
    expect(decideRepeated({ ...kept, answer: null, state: 'carried' }, 'p')).toBe('unknown');
    expect(decideRepeated(kept, 'q')).toBe('reused');
    expect(decideRepeated({ ...kept, answer: null }, 'q')).toBe('reused');
  });
});
