import { expect, test } from 'vitest';
import { decideTransfer, emptyPurse, type Purse, transfersMax } from './transfer.ts';

const wish = { key: 'k1', payee: 'Harbour Bakery', cents: 300 };
const made = { id: 't1', at: 1 };

const afterOne = (): Purse => {
  const decision = decideTransfer(emptyPurse, 1_000, wish, made);
  if (decision.kind !== 'made') throw new Error('expected a transfer');
  return decision.purse;
};

test('transfer: enough money: made, and remembered under its key', () => {
  expect(afterOne()).toEqual({ sentCents: 300, transfers: [{ ...wish, ...made }] });
});

test('transfer: the same key again: the first one is told, no money moves', () => {
  expect(decideTransfer(afterOne(), 1_000, wish, { id: 't2', at: 2 })).toEqual({
    kind: 'repeated',
    transfer: { ...wish, ...made },
  });
});

test('transfer: the same key for something else: refused', () => {
  expect(decideTransfer(afterOne(), 1_000, { ...wish, cents: 301 }, made)).toMatchObject({
    kind: 'refused',
    status: 422,
  });
});

test('transfer: more than there is left: refused', () => {
  expect(decideTransfer(afterOne(), 1_000, { ...wish, key: 'k2', cents: 701 }, made)).toMatchObject({
    kind: 'refused',
    status: 409,
  });
});

test('transfer: very many: the list is bounded, the sum is not forgotten', () => {
  let purse = emptyPurse;
  for (let count = 0; count < transfersMax + 10; count += 1) {
    const decision = decideTransfer(
      purse,
      1_000,
      { ...wish, key: `k${count}`, cents: 1 },
      { id: `t${count}`, at: count },
    );
    if (decision.kind === 'made') purse = decision.purse;
  }
  expect(purse.transfers).toHaveLength(transfersMax);
  expect(purse.sentCents).toBe(transfersMax + 10);
});
