import type { DeathReport } from '@limpet/supervisor';
import { count } from './format-banner.ts';

/** The one line that a death gets unasked. */
export function formatDeath(death: DeathReport): string {
  return [
    `${death.node} died (${death.how})`,
    formatTaken(death),
    ...(death.servedAfterMs === null ? [] : [`served again after ${ms(death.servedAfterMs)}`]),
    ...(death.copiesAfterMs === null ? [] : [`copies complete after ${ms(death.copiesAfterMs)}`]),
    ...(death.backAfterMs === null ? [] : [`${death.node} back after ${ms(death.backAfterMs)}`]),
  ].join(' · ');
}

/** What `limpet kill` prints. */
export function formatKill(death: DeathReport): readonly string[] {
  const line = (title: string, text: string): string => `  ${title.padEnd(26)} ${text}`;
  const time = (title: string, value: number | null, otherwise: string): string =>
    line(title, value === null ? otherwise : ms(value));
  return [
    `${death.node} died (${death.how})`,
    time('detected after', death.detectedMs, 'not measured'),
    time('buddies promoted after', promotedMs(death), 'not measured'),
    time('first success after', death.servedAfterMs, 'none seen'),
    line('sessions', formatTaken(death)),
    time('with one copy only for', death.copiesAfterMs, 'still so'),
    time(`${death.node} back after`, death.backAfterMs, 'not back yet'),
  ];
}

/** From the signal to the view that promotes: both halves are known only when the signal was the supervisor's. */
const promotedMs = (death: DeathReport): number | null =>
  death.detectedMs === null ? null : death.detectedMs + death.publishedMs;

function formatTaken({ sessions, took, lost, lostIsExact }: DeathReport): string {
  if (sessions === null) return 'sessions not counted';
  const parts = Object.entries(took)
    .filter(([, n]) => n > 0)
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([node, n]) => `${node} ${n}`);
  if (lost !== null && lost > 0) parts.push(`lost ${lostIsExact ? '' : 'about '}${lost}`);
  const total = count(sessions, 'session');
  return parts.length === 0 ? total : `${total}: ${parts.join(', ')}`;
}

/** Whole milliseconds from 10 on, a tenth below; seconds from 10 s on. */
export function ms(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} ms`;
}

/** An error as node prints it: the first line of what the app wrote when it failed. */
const ownErrorPattern = /^(?:Uncaught )?[\w.]*(?:Error|Exception)(?: \[\w+\])?(?::|$)/;

/** Why a node did not start. The app's own error has been shown among its output: it is not said again at every start. */
export const formatReason = (reason: string): string =>
  ownErrorPattern.test(reason) ? 'its own error is shown above' : reason;
