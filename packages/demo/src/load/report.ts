import type { LoadResult } from './run.ts';
import { isWhole, type Tally } from './tally.ts';

const whole = (value: number): string => Math.round(value).toLocaleString('en');

/** The result as a table for people. */
export function formatReport(result: LoadResult): string {
  const { tally, latencyMs } = result;
  const rows: readonly (readonly [name: string, value: string, note?: string])[] = [
    ['requests/s', whole(result.requestsPerSecond)],
    ['latency p50', `${latencyMs.p50.toFixed(1)} ms`],
    ['latency p99', `${latencyMs.p99.toFixed(1)} ms`],
    ['requests', whole(tally.requests)],
    ['errors', whole(tally.errors), 'no answer'],
    ['non-2xx', whole(tally.non2xx)],
    ['uncertain', whole(tally.uncertain), 'may have run or not'],
    ['moved', whole(tally.moved), 'answered by another node than before'],
    ['lost', whole(tally.lost), `acknowledged additions gone; whole sessions: ${whole(tally.lostSessions)}`],
    ['doubled', whole(tally.doubled), 'additions nobody asked for'],
    ['checked', whole(tally.checked), 'sessions looked at after the load'],
    ...(tally.unchecked > 0 ? [['unchecked', whole(tally.unchecked), 'sessions without an answer'] as const] : []),
  ];
  const width = Math.max(...rows.map(([, value]) => value.length));
  const sessions = `${whole(result.sessions)} sessions over ${result.connections} connections`;
  return [
    `${sessions}, ${result.seconds.toFixed(1)} s, ${result.url}`,
    ...rows.map(([name, value, note]) => `  ${name.padEnd(12)}${value.padStart(width)}${note ? `   ${note}` : ''}`),
    formatVerdict(tally),
  ].join('\n');
}

function formatVerdict(tally: Readonly<Tally>): string {
  if (isWhole(tally)) return 'every session holds what was acknowledged';
  const isWrong = tally.lost > 0 || tally.lostSessions > 0 || tally.doubled > 0;
  return isWrong ? 'NOT every session holds what was acknowledged' : 'NOT every session could be checked';
}

/** The result as one JSON object. */
export const formatJson = ({ tally, ...result }: LoadResult): string =>
  JSON.stringify({ ok: isWhole(tally), ...result, ...tally });
