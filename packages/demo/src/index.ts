export type { CounterAnswer } from './counter-routes.ts';
export { createApp } from './create-app.ts';
export { type Ledger, openLedger } from './ledger.ts';
