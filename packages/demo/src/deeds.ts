import { randomUUID } from 'node:crypto';
import type { Request } from 'express';
import { summaryOf } from './facts.ts';
import { readTransfer } from './input.ts';
import type { Ledger } from './ledger.ts';
import { sessionOf } from './state.ts';
import { decideTransfer, emptyPurse, type TransferDecision } from './transfer.ts';

/** Carries out the transfer in the body for the page and for the JSON alike. */
export async function transfer(
  req: Request,
  account: string,
  ledger: Ledger,
): Promise<TransferDecision | { readonly kind: 'refused'; readonly status: 400; readonly why: string }> {
  const read = readTransfer(req);
  if (read.kind === 'refused') return read;
  const session = sessionOf(req);
  const { summary } = await summaryOf(session, account, ledger);
  // From here to the assignment nothing is awaited: two transfers of one session cannot both spend the same money.
  const decision = decideTransfer(session.purse ?? emptyPurse, summary.balanceCents, read.wish, {
    id: randomUUID(),
    at: Date.now(),
  });
  if (decision.kind === 'made') session.purse = decision.purse;
  return decision;
}
