import { type Html, html } from './html.ts';
import { ledgerDelayMs } from './ledger.ts';
import { ledgerLines } from './ledger-lines.ts';
import { formatCents } from './money.ts';
import type { Preferences } from './state.ts';
import type { Summary } from './summary.ts';
import type { Purse, Transfer } from './transfer.ts';

/** Names of accounts are at most this long. */
export const accountMax = 40;
export const payeeMax = 60;

const note = html`<p class="note">The ledger is a file of ${ledgerLines.toLocaleString('en')} made-up lines behind a delay of
${ledgerDelayMs} ms. It plays the slow database: after the first look the sums live in the session.</p>`;

/** Where somebody signs in. */
export const signInPage = (problem: string | null): Html => html`<h1>Limpet demo</h1>
<p>A small bank. Any name will do; there is no password.</p>
${problem === null ? null : html`<p class="problem" role="alert">${problem}</p>`}
<form method="post" action="/sign-in" class="card">
<label for="account">Account name</label>
<input id="account" name="account" required maxlength="${accountMax}" autocomplete="username" autocapitalize="none" autofocus>
<button>Sign in</button>
</form>
<p class="note">Then kill the node that answers you, with <code>npm run kill -- n2</code>, and click on.</p>`;

const amount = (cents: number, preferences: Preferences): Html =>
  html`<td class="amount${cents < 0 ? '' : ' in'}">${formatCents(cents, preferences.amounts)}</td>`;

const balanceNow = (summary: Summary, purse: Purse, preferences: Preferences): Html =>
  html`<p class="big" id="balance">${formatCents(summary.balanceCents - purse.sentCents, preferences.amounts)}</p>`;

/** The sums over the whole ledger. */
export const overviewPage = (summary: Summary, purse: Purse, preferences: Preferences): Html => html`
${balanceNow(summary, purse, preferences)}
<p>${summary.entries.toLocaleString('en')} transactions in ${summary.categories.length} categories.</p>
<div class="card scroll"><table>
<thead><tr><th scope="col">Category</th><th scope="col" class="amount">Number</th><th scope="col" class="amount">Sum</th></tr></thead>
<tbody>${summary.categories.map(
  (sum) =>
    html`<tr><th scope="row">${sum.category}</th><td class="amount">${sum.count}</td>${amount(sum.cents, preferences)}</tr>`,
)}</tbody>
</table></div>
${note}`;

/** The balance alone. */
export const balancePage = (summary: Summary, purse: Purse, preferences: Preferences): Html => html`
${balanceNow(summary, purse, preferences)}
<div class="card"><dl>
<dt>Ledger</dt><dd>${formatCents(summary.balanceCents, preferences.amounts)}</dd>
<dt>Sent since you signed in</dt><dd>${formatCents(-purse.sentCents, preferences.amounts)}</dd>
</dl></div>
<p><a class="button" href="/transfer">Make a transfer</a></p>`;

/** The latest transactions, the transfers of this session first. */
export function transactionsPage(summary: Summary, purse: Purse, preferences: Preferences): Html {
  const rows = [
    ...purse.transfers.map((transfer) => ({
      day: new Date(transfer.at).toISOString().slice(0, 10),
      payee: transfer.payee,
      category: 'transfer',
      cents: -transfer.cents,
    })),
    ...summary.recent,
  ].slice(0, preferences.rows);
  return html`<div class="card scroll"><table>
<thead><tr><th scope="col">Day</th><th scope="col">To or from</th><th scope="col">Category</th><th scope="col" class="amount">Amount</th></tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr><td>${row.day}</td><td>${row.payee}</td><td>${row.category}</td>${amount(row.cents, preferences)}</tr>`,
  )}</tbody>
</table></div>
<p class="note">The latest ${rows.length} of ${(summary.entries + purse.transfers.length).toLocaleString('en')}.</p>`;
}

export interface TransferForm {
  /** Sent with the form: sending it twice moves the money once. */
  readonly key: string;
  readonly problem: string | null;
  readonly done: Transfer | null;
}

/** The form of a transfer, and what became of the last one. */
export const transferPage = (
  form: TransferForm,
  summary: Summary,
  purse: Purse,
  preferences: Preferences,
): Html => html`${balanceNow(summary, purse, preferences)}
${
  form.done === null
    ? null
    : html`<p class="done" role="status">${formatCents(form.done.cents, preferences.amounts)} sent to ${form.done.payee}.</p>`
}
${form.problem === null ? null : html`<p class="problem" role="alert">${form.problem}</p>`}
<form method="post" action="/transfer" class="card">
<input type="hidden" name="key" value="${form.key}">
<label for="payee">To</label>
<input id="payee" name="payee" required maxlength="${payeeMax}" autocomplete="off">
<label for="amount">Amount</label>
<input id="amount" name="amount" required inputmode="decimal" placeholder="12.50" autocomplete="off">
<button>Transfer</button>
</form>
<p class="note">The form carries an idempotency key: sending it twice moves the money once. Transfers are kept in the
session and end with it.</p>`;

const choice = (name: string, value: string, chosen: string, label: string): Html => html`<label class="choice"><input
type="radio" name="${name}" value="${value}"${value === chosen ? html` checked` : null}> ${label}</label>`;

/** What the account prefers. */
export const preferencesPage = (
  preferences: Preferences,
): Html => html`<form method="post" action="/preferences" class="card">
<fieldset><legend>Colours</legend>${choice('theme', 'auto', preferences.theme, 'as the system')}
${choice('theme', 'light', preferences.theme, 'light')}${choice('theme', 'dark', preferences.theme, 'dark')}</fieldset>
<fieldset><legend>Amounts</legend>${choice('amounts', 'point', preferences.amounts, '1,234.50')}
${choice('amounts', 'comma', preferences.amounts, '1.234,50')}</fieldset>
<fieldset><legend>Transactions shown</legend>${['10', '20', '40'].map((rows) =>
  choice('rows', rows, String(preferences.rows), rows),
)}</fieldset>
<button>Keep</button>
</form>`;
