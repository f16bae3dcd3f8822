/** One transfer made in this session. */
export interface Transfer {
  readonly id: string;
  /** The Idempotency-Key it came with: the same key is never carried out twice. */
  readonly key: string;
  readonly payee: string;
  readonly cents: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What has been transferred since signing in. */
export interface Purse {
  readonly sentCents: number;
  /** Newest first, at most `transfersMax`; a key is remembered as long as its transfer. */
  readonly transfers: readonly Transfer[];
}

export const emptyPurse: Purse = { sentCents: 0, transfers: [] };
export const transfersMax = 50;

export interface TransferWish {
  readonly key: string;
  readonly payee: string;
  readonly cents: number;
}

export type TransferDecision =
  | { readonly kind: 'made'; readonly purse: Purse; readonly transfer: Transfer }
  | { readonly kind: 'repeated'; readonly transfer: Transfer }
  | { readonly kind: 'refused'; readonly status: 409 | 422; readonly why: string };

/** What becomes of a transfer; `id` names it if it is made. Synchronous, so that no other request comes in between. */
export function decideTransfer(
  purse: Purse,
  openingCents: number,
  wish: TransferWish,
  made: { readonly id: string; readonly at: number },
): TransferDecision {
  const earlier = purse.transfers.find((transfer) => transfer.key === wish.key);
  if (earlier && (earlier.payee !== wish.payee || earlier.cents !== wish.cents))
    return { kind: 'refused', status: 422, why: 'this Idempotency-Key was used for another transfer' };
  if (earlier) return { kind: 'repeated', transfer: earlier };
  if (wish.cents > openingCents - purse.sentCents)
    return { kind: 'refused', status: 409, why: 'the balance is smaller than that' };
  const transfer: Transfer = { ...wish, ...made };
  return {
    kind: 'made',
    transfer,
    purse: {
      sentCents: purse.sentCents + wish.cents,
      transfers: [transfer, ...purse.transfers].slice(0, transfersMax),
    },
  };
}
