import { expect, test } from 'vitest';
import { type FlagKind, parseArguments } from './arguments.ts';

const known = new Map<string, FlagKind>([
  ['--port', 'value'],
  ['--node-args', 'value'],
  ['--json', 'switch'],
  ['--env-file', 'values'],
]);
const parse = (...argv: string[]) => parseArguments(argv, known);

test('arguments: flags before and after the file: both are read', () => {
  const { words, flags, problems } = parse('--json', 'app.mjs', '--port', '0');
  expect([words, [...flags], problems]).toEqual([
    ['app.mjs'],
    [
      ['--json', ['']],
      ['--port', ['0']],
    ],
    [],
  ]);
});

test('arguments: a flag with equals sign: its value may hold more of them', () => {
  expect(parse('--node-args=--title=a').flags.get('--node-args')).toEqual(['--title=a']);
});

test('arguments: after two dashes: everything belongs to the app', () => {
  const { words, rest, flags, problems } = parse('app.js', '--', '--port', '1', '--', '--wild');
  expect([words, rest, flags.size, problems]).toEqual([['app.js'], ['--port', '1', '--', '--wild'], 0, []]);
});

test('arguments: the same flag twice: the last counts, a repeatable one keeps both', () => {
  expect(parse('--port', '1', '--port', '2').flags.get('--port')).toEqual(['2']);
  expect(parse('--env-file', 'a', '--env-file', 'b').flags.get('--env-file')).toEqual(['a', 'b']);
});

test('arguments: a value that begins with a dash: taken, unless it is a flag of ours', () => {
  expect(parse('--node-args', '--max-old-space-size=64').flags.get('--node-args')).toEqual(['--max-old-space-size=64']);
  expect(parse('--port', '--json').problems).toEqual(['--port needs a value']);
});

test('arguments: several mistakes: all are reported', () => {
  expect(parse('--prot', '80', '--json=yes', '--wild', '--port').problems).toEqual([
    'unknown option --prot: did you mean --port?',
    '--json takes no value, but has "yes"',
    'unknown option --wild',
    '--port needs a value',
  ]);
});
