import { describe, expect, test } from 'vitest';
import { isReplayable, parseReplayable, type ReplayableRoute } from './replayable.ts';

const routeOf = (text: string): ReplayableRoute => {
  const route = parseReplayable(text);
  if (typeof route === 'string') throw new Error(route);
  return route;
};

describe('replayable routes', () => {
  const rows: readonly [route: string, method: string, target: string, is: boolean][] = [
    ['POST /cart', 'POST', '/cart', true],
    ['POST /cart', 'POST', '/cart?add=1', true],
    ['POST /cart', 'POST', '/cart/', false],
    ['POST /cart', 'POST', '/Cart', false],
    ['POST /cart', 'PATCH', '/cart', false],
    ['POST /cart/', 'POST', '/cart/', true],
    ['POST /', 'POST', '/', true],
    ['POST /cart/*', 'POST', '/cart/7', true],
    ['POST /cart/*', 'POST', '/cart/', false],
    ['POST /cart/*', 'POST', '/cart', false],
    ['POST /cart/*', 'POST', '/cart/7/items', false],
    ['POST /cart/*/items', 'POST', '/cart/7/items', true],
    ['POST /cart/**', 'POST', '/cart/7/items', true],
    ['POST /cart/**', 'POST', '/cart', true],
    ['POST /cart/**', 'POST', '/cartoon', false],
    ['POST /**', 'POST', '/anything/at/all', true],
    ['POST /cart/**', 'POST', '/cart/../transfer', false],
    ['POST /cart/**', 'POST', '/cart/./7', false],
    ['POST /cart/**', 'POST', '/cart//7', false],
    ['POST /cart/**', 'POST', '/cart/%2e%2e/transfer', false],
    ['POST /cart/**', 'POST', '/cart/..%2Ftransfer', false],
    ['POST /cart/**', 'POST', '/cart/..%5ctransfer', false],
    ['POST /cart/**', 'POST', '/cart/..\\transfer', false],
    ['POST /cart/**', 'POST', '*', false],
  ];
  for (const [route, method, target, is] of rows) {
    test(`route ${route}: ${method} ${target}: ${is ? 'declared' : 'not declared'}`, () =>
      expect(isReplayable([routeOf(route)], method, target)).toBe(is));
  }

  test('several routes: one of them is enough; none: nothing is declared', () => {
    const routes = [routeOf('POST /a'), routeOf('PATCH /b/*')];
    expect(isReplayable(routes, 'PATCH', '/b/1')).toBe(true);
    expect(isReplayable([], 'POST', '/a')).toBe(false);
  });

  const problems: readonly [text: string, problem: RegExp][] = [
    ['', /is not a method, one blank and a path/],
    ['/cart', /is not a method/],
    ['POST /cart /other', /is not a method/],
    ['post /cart', /capitals/],
    ['GET /cart', /GET is run again anyway/],
    ['DELETE /cart', /DELETE is run again anyway/],
    ['POST cart', /does not begin with \//],
    ['POST /cart*', /segment "cart\*"/],
    ['POST /**/items', /segment "\*\*"/],
    ['POST /cart?x=1', /segment "cart\?x=1"/],
    ['POST /a,b', /no commas/],
    ['POST /%zz', /segment "%zz"/],
    ['POST /a//b', /servers resolve/],
    ['POST /a/../b', /servers resolve/],
    ['POST /a%2Fb', /servers resolve/],
  ];
  for (const [text, problem] of problems) {
    test(`route "${text}": refused: ${problem.source}`, () => expect(parseReplayable(text)).toMatch(problem));
  }
});
