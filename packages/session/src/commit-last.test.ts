import { expect, test } from 'vitest';
import { Harness } from './request-harness.test-suite.ts';

const answer = new Uint8Array([1, 2, 3]);

test('writeHead, then end with a body: one version, and its answer in it', () => {
  const harness = new Harness();
  const id = harness.make({ count: 1 });
  const running = harness.begin(id);
  running.session.count = 2;
  running.head();
  running.owner.commitLast();
  running.owner.reach(answer);
  running.owner.end();
  const own = harness.commits.filter(({ request }) => request === running.request);
  expect(own.map(({ input }) => input.answer)).toEqual([answer]);
  expect(harness.committed(id)).toEqual({ count: 2 });
  expect(harness.logged(id, running.request)).toMatchObject({ state: 'committed', answer });
});

test('a stream that changes its session after its last write: committed before its end', () => {
  const harness = new Harness();
  const id = harness.make({ count: 1 });
  const running = harness.begin(id);
  running.head();
  running.owner.reach(null);
  running.session.count = 2;
  running.owner.commitLast();
  expect(harness.committed(id)).toEqual({ count: 2 });
});
