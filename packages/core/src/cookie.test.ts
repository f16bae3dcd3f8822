import { parseCookie } from 'cookie';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cookieValuesMax, readCookie } from './cookie.ts';

const name = 'JSESSIONID';
const reference = (header: string, wanted: string): string | undefined =>
  parseCookie(header, { decode: (value) => value })[wanted];

describe('cookie', () => {
  test('cookie: headers as browsers send them: the value, or none', () => {
    expect(readCookie('JSESSIONID=abc', name)).toEqual(['abc']);
    expect(readCookie('a=b; JSESSIONID=abc; c=d', name)).toEqual(['abc']);
    expect(readCookie(' \tJSESSIONID \t=\t abc \t;c', name)).toEqual(['abc']);
    expect(readCookie('JSESSIONID=', name)).toEqual(['']);
    expect(readCookie('XJSESSIONID=a; JSESSIONIDX=b; jsessionid=c; a=JSESSIONID=d', name)).toEqual([]);
    expect(readCookie('JSESSIONID; a=b', name)).toEqual([]);
    expect(readCookie('', name)).toEqual([]);
    expect(readCookie(undefined, name)).toEqual([]);
  });

  test('cookie: the name several times: every value in order', () => {
    expect(readCookie('JSESSIONID=a; x=y; JSESSIONID=b;JSESSIONID=c=d', name)).toEqual(['a', 'b', 'c=d']);
  });

  test('cookie: quotes and percent signs: as sent', () => {
    expect(readCookie('JSESSIONID="a b"; JSESSIONID=%41', name)).toEqual(['"a b"', '%41']);
  });

  test('cookie: thousands of values: the first few, in linear time', () => {
    expect(readCookie('JSESSIONID=a;'.repeat(5000), name)).toHaveLength(cookieValuesMax);
    expect(readCookie(`${' '.repeat(60_000)}JSESSIONID${' '.repeat(60_000)};`.repeat(20), name)).toEqual([]);
  });

  test('cookie: any header: the first value is the one the cookie package reads', () => {
    const fragment = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom('a', 'ab', 'b', '=', ';', '; ', ' ', '\t', '"', '%41', 'a=', 'ab=', '\u00a0'),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 3 }) },
    );
    const header = fc.array(fragment, { maxLength: 30 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(header, fc.constantFrom('a', 'ab', 'b'), (input, wanted) => {
        expect(readCookie(input, wanted)[0]).toBe(reference(input, wanted));
      }),
      { numRuns: 5000 },
    );
  });

  test('cookie: a header of well-formed pairs: all values of the name, in order', () => {
    const word = fc.string({ unit: fc.constantFrom(...'abc-_.~!'), minLength: 1, maxLength: 3 });
    const pairs = fc.array(fc.tuple(word, word), { maxLength: cookieValuesMax });
    fc.assert(
      fc.property(pairs, word, (list, wanted) => {
        const expected = list.filter(([key]) => key === wanted).map(([, value]) => value);
        expect(readCookie(list.map((pair) => pair.join('=')).join('; '), wanted)).toEqual(expected);
      }),
    );
  });
});
