import type { ClusterEvent } from '@limpet/supervisor';
import pino from 'pino';
import type { ClusterLog, StartFacts } from './cluster-log.ts';
import { formatAdoption, formatDifferences } from './format-adoption.ts';
import { formatBanner } from './format-banner.ts';
import { formatDeath, formatReason } from './format-death.ts';
import { formatKept } from './format-kept.ts';
import type { LineWriter } from './line-writer.ts';

/** One JSON object per line on standard output. */
export function openJsonLog(writer: LineWriter, facts: StartFacts): ClusterLog {
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level } }, writer);
  return {
    event(event) {
      const { kind, ...fields } = event;
      if (event.kind === 'output') return log.info({ node: event.node }, event.line);
      if (event.kind === 'death' || event.kind === 'died') {
        return log.warn({ event: kind, ...event.report }, formatDeath(event.report));
      }
      if (event.kind === 'adopted') {
        const said = [formatAdoption(event), ...formatDifferences(event.differences)];
        return log[event.differences.length > 0 ? 'warn' : 'info']({ event: kind, ...fields }, said.join('\n'));
      }
      if (event.kind === 'ready') {
        const { tries, ...known } = facts;
        const [head] = formatBanner({ ...facts, url: event.url, adminUrl: event.adminUrl });
        return log.info({ event: kind, ...known, ...fields }, `${head} · ready`);
      }
      const text = 'message' in event ? event.message : (formatKept(event) ?? kind);
      const reason = 'reason' in event ? { reason: formatReason(event.reason) } : {};
      const isLoss = event.kind === 'sessions-saved' && event.unsaved > 0;
      log[isLoss ? 'warn' : (levels[kind] ?? 'info')]({ event: kind, ...fields, ...reason }, text);
    },
    note: (message) => log.info(message),
    fail: (error) => log.fatal({ code: error.code }, error.message),
    flush: () => writer.flush(),
  };
}

const level = (label: string): { level: string } => ({ level: label });

const levels: { readonly [kind in ClusterEvent['kind']]?: 'warn' | 'error' } = {
  'start-failed': 'warn',
  'node-failed': 'error',
  'all-failed': 'error',
  'balancer-died': 'warn',
  health: 'warn',
  'sessions-set-aside': 'warn',
  warning: 'warn',
};
