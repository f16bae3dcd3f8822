import { describe, expect, test } from 'vitest';
import { LossLedger } from './loss-ledger.ts';
import type { CustodyReport, Holding } from './messages.ts';

const view = (number: number) => ({ term: 1, number });

const app = (number: number, holdings: { readonly [holders: string]: number }, isSteady = true): CustodyReport => ({
  view: view(number),
  holdings: Object.entries(holdings).map(
    ([holders, sessions]): Holding => ({ holders: holders === '' ? [] : holders.split(' '), sessions }),
  ),
  orphans: 0,
  isSteady,
});

const keeper = (number: number, orphans: number, isSteady = true): CustodyReport => ({
  view: view(number),
  holdings: [],
  orphans,
  isSteady,
});

/** Three members, each the primary of sessions that one of the others holds, too. */
function start(): LossLedger {
  const ledger = new LossLedger();
  ledger.report('n1.1', 'app', app(1, { 'n2.1': 10, 'n3.1': 20 }));
  ledger.report('n2.1', 'app', app(1, { 'n1.1': 3, 'n3.1': 40 }));
  ledger.report('n3.1', 'app', app(1, { 'n1.1': 5, 'n2.1': 6 }));
  for (const address of ['n1.1', 'n2.1', 'n3.1']) ledger.report(address, 'keeper', keeper(1, 0));
  return ledger;
}

describe('losses', () => {
  test('one death: nothing is lost', () => {
    const ledger = start();
    ledger.died('n1.1', view(2));
    expect(ledger.lossOf('n1.1')).toEqual({ sessions: 0, isExact: true });
    expect(ledger.settled(view(2))).toEqual([{ address: 'n1.1', loss: { sessions: 0, isExact: true } }]);
    expect(ledger.total).toEqual({ sessions: 0, isExact: true });
  });

  test('both custodians at once: exactly the sessions that only they held, told with the second death', () => {
    const ledger = start();
    ledger.died('n1.1', view(2));
    ledger.died('n2.1', view(3));
    expect(ledger.lossOf('n1.1')).toEqual({ sessions: 0, isExact: true });
    expect(ledger.lossOf('n2.1')).toEqual({ sessions: 13, isExact: true });
    ledger.settled(view(3));
    expect(ledger.total).toEqual({ sessions: 13, isExact: true });
  });

  test('the second dies after all copies were made again: nothing is lost', () => {
    const ledger = start();
    ledger.died('n1.1', view(2));
    ledger.report('n2.1', 'app', app(2, { 'n3.1': 53 }));
    ledger.settled(view(2));
    ledger.died('n2.1', view(3));
    expect(ledger.lossOf('n2.1')).toEqual({ sessions: 0, isExact: true });
  });

  test('the second dies while copies are being made again: those not made yet, and not said to be exact', () => {
    const ledger = start();
    ledger.died('n1.1', view(2));
    // Of its 3 and the 10 it was promoted for, 4 are copied again, 2 are not, and 7 are still with its keeper.
    ledger.report('n2.1', 'app', app(2, { 'n3.1': 44, '': 2 }, false));
    ledger.report('n2.1', 'keeper', keeper(2, 7, false));
    ledger.died('n2.1', view(3));
    expect(ledger.lossOf('n2.1')).toEqual({ sessions: 9, isExact: false });
  });

  test('three copies: two deaths lose nothing, the third loses what the three held', () => {
    const ledger = new LossLedger();
    ledger.report('n1.1', 'app', app(1, { 'n2.1 n3.1': 7, 'n2.1 n4.1': 2 }));
    ledger.died('n1.1', view(2));
    ledger.died('n2.1', view(3));
    expect(ledger.total.sessions).toBe(0);
    ledger.died('n3.1', view(4));
    expect(ledger.lossOf('n3.1')?.sessions).toBe(7);
  });

  test('one copy: a death loses all it had', () => {
    const ledger = new LossLedger();
    ledger.report('n1.1', 'app', app(1, { '': 30 }));
    ledger.died('n1.1', view(2));
    expect(ledger.total).toEqual({ sessions: 30, isExact: true });
  });

  test('the last word of the dead comes after the proof: it counts', () => {
    const ledger = start();
    ledger.died('n1.1', view(2));
    ledger.died('n2.1', view(3));
    ledger.report('n1.1', 'app', app(1, { 'n2.1': 11, 'n3.1': 20 }, false));
    expect(ledger.lossOf('n2.1')).toEqual({ sessions: 14, isExact: false });
  });

  test('a new incarnation holds nothing of the former one', () => {
    const ledger = start();
    ledger.died('n2.1', view(2));
    ledger.settled(view(2));
    ledger.report('n2.2', 'app', app(3, {}));
    ledger.died('n2.2', view(4));
    expect(ledger.lossOf('n2.2')?.sessions).toBe(0);
  });
});
