import { expect, test } from 'vitest';
import { type Asked, readListenArguments } from './listen-arguments.ts';

const done = (): void => {};
const plain = { kind: 'port', host: null, backlog: null, signal: null, callback: null } as const;
const { signal } = new AbortController();

const forms: readonly (readonly [string, readonly unknown[], Partial<Asked>])[] = [
  ['nothing', [], { ...plain, port: 0 }],
  ['a callback', [done], { ...plain, port: 0, callback: done }],
  ['null', [null, done], { ...plain, port: 0, callback: done }],
  ['a port', [3000], { ...plain, port: 3000 }],
  ['a numeric string', ['3000'], { ...plain, port: 3000 }],
  ['port, callback', [3000, done], { ...plain, port: 3000, callback: done }],
  ['port, host', [3000, '0.0.0.0'], { ...plain, port: 3000, host: '0.0.0.0' }],
  ['port, host, callback', [3000, 'localhost', done], { ...plain, port: 3000, host: 'localhost', callback: done }],
  ['port, backlog', [3000, 64], { ...plain, port: 3000, backlog: 64 }],
  ['all', [3000, '::1', 64, done], { ...plain, port: 3000, host: '::1', backlog: 64, callback: done }],
  ['port, undefined, callback', [3000, undefined, done], { ...plain, port: 3000, callback: done }],
  [
    'options',
    [{ port: 3000, host: '::', backlog: 9, signal }],
    { ...plain, port: 3000, host: '::', backlog: 9, signal },
  ],
  ['options with a string', [{ port: '80' }, done], { ...plain, port: 80, callback: done }],
  ['options, port undefined', [{ port: undefined }], { ...plain, port: 0 }],
  ['options, port over path', [{ port: 81, path: 'a.sock' }], { ...plain, port: 81 }],
  ['a path', ['a.sock'], { kind: 'other' }],
  ['options with a path', [{ path: 'a.sock', exclusive: true }], { kind: 'other' }],
  ['a descriptor', [{ fd: 3 }], { kind: 'other' }],
  ['a handle', [{ _handle: {} }, done], { kind: 'other' }],
  ['a server as handle', [{ handle: {} }], { kind: 'other' }],
  ['a port out of range', [70_000], { kind: 'other' }],
  ['options without either', [{}], { kind: 'other' }],
];

test.each(forms)('listen arguments: %s', (_name, args, expected) => {
  expect(readListenArguments(args)).toEqual(expected);
});
