import { describe, expect, test } from 'vitest';
import { formatKeyed, keyLengthMax, parseKeyed, parseKeyHeader } from './idempotency-key.ts';

const spell = (...values: string[]): string => {
  const read = parseKeyHeader(values);
  return read.kind === 'key' ? `<${read.text}>` : read.kind === 'none' ? 'none' : read.why;
};

describe('Idempotency-Key', () => {
  const uuid = '8e03978e-40d5-43e8-bc93-6894a57f9324';
  const shape = 'is neither a quoted string nor a word of visible ASCII characters';
  const rows: readonly [what: string, values: readonly string[], read: string][] = [
    ['no header', [], 'none'],
    ['a string of the draft', [`"${uuid}"`], `<${uuid}>`],
    ['a bare word', [uuid], `<${uuid}>`],
    ['blanks around', [` ${uuid}\t`], `<${uuid}>`],
    ['blanks within quotes', ['" a b "'], '< a b >'],
    ['escapes', [String.raw`"a\"b\\c"`], String.raw`<a"b\c>`],
    ['sent twice', ['a', 'a'], 'was sent more than once'],
    ['joined by a proxy', ['a, b'], shape],
    ['joined without a blank', ['a,b'], shape],
    ['two strings joined', ['"a", "b"'], shape],
    ['empty', [''], shape],
    ['an empty string', ['""'], 'is empty'],
    ['a quote alone', ['"'], shape],
    ['a string without an end', ['"abc'], shape],
    ['an escape of something else', [String.raw`"a\n"`], shape],
    ['an escaped end', [String.raw`"a\"`], shape],
    ['parameters', ['"a";v=1'], shape],
    ['beyond ASCII', ['"schlüssel"'], shape],
    ['control characters', ['"a\tb"'], shape],
    ['as long as allowed', ['k'.repeat(keyLengthMax)], `<${'k'.repeat(keyLengthMax)}>`],
    ['longer', ['k'.repeat(keyLengthMax + 1)], `is longer than ${keyLengthMax} characters`],
  ];
  for (const [what, values, read] of rows) test(`key: ${what}: ${read}`, () => expect(spell(...values)).toBe(read));

  test('key on its way to the worker: read as it was written, anything else is none', () => {
    const text = `${'a'.repeat(22)}.${'_'.repeat(22)}`;
    const keyed = parseKeyed(text);
    expect(keyed && formatKeyed(keyed)).toBe(text);
    for (const wrong of ['', 'a.b', `${text}.c`, text.replace('.', ''), `${text}=`])
      expect(parseKeyed(wrong)).toBeNull();
  });
});
