import type { Request } from 'express';
import { parseCents } from './money.ts';
import { accountMax, payeeMax } from './pages.ts';
import { defaultPreferences, type Preferences } from './state.ts';
import type { TransferWish } from './transfer.ts';

/** A field of a form or a JSON body as text; `''` when it is missing or not text. */
function field(req: Request, name: string): string {
  const body: unknown = req.body;
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[name] : undefined;
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
}

/** The account name in the body, or null: one to forty characters, no control characters. */
export function readAccount(req: Request): string | null {
  const account = field(req, 'account');
  return account.length > 0 && account.length <= accountMax && !/\p{C}/u.test(account) ? account : null;
}

const keyPattern = /^[\x21-\x7e]{1,128}$/;

/** The transfer asked for, or what is wrong with it. The key is in the `Idempotency-Key` header or in the field `key`. */
export function readTransfer(
  req: Request,
):
  | { readonly kind: 'wish'; readonly wish: TransferWish }
  | { readonly kind: 'refused'; readonly status: 400; readonly why: string } {
  const key = req.get('idempotency-key') ?? field(req, 'key');
  const payee = field(req, 'payee');
  const cents = parseCents(field(req, 'amount'));
  const refused = (why: string) => ({ kind: 'refused', status: 400, why }) as const;
  if (!keyPattern.test(key)) return refused('an Idempotency-Key of 1 to 128 visible characters is needed');
  if (payee.length === 0 || payee.length > payeeMax) return refused(`a payee of 1 to ${payeeMax} characters is needed`);
  if (cents === null) return refused('an amount like 12.50 is needed, at most 1,000,000');
  return { kind: 'wish', wish: { key, payee, cents } };
}

/** The preferences in the body; what is missing or unknown there stays as in `present`. */
export function readPreferences(req: Request, present: Preferences = defaultPreferences): Preferences {
  const [theme, amounts, rows] = [field(req, 'theme'), field(req, 'amounts'), field(req, 'rows')];
  return {
    theme: theme === 'auto' || theme === 'light' || theme === 'dark' ? theme : present.theme,
    amounts: amounts === 'point' || amounts === 'comma' ? amounts : present.amounts,
    rows: /^(10|20|40)$/.test(rows) ? Number(rows) : present.rows,
  };
}
