import { type LimpetError, unreachable } from '@limpet/core';
import type { ClusterEvent } from '@limpet/supervisor';
import { formatAdoption, formatDifferences } from './format-adoption.ts';
import { type BannerFacts, formatBanner, formatReady } from './format-banner.ts';
import { formatDeath, formatReason, ms } from './format-death.ts';
import { formatKept } from './format-kept.ts';
import type { LineWriter } from './line-writer.ts';
import { formatError, type Screen } from './screen.ts';

/** Says what happens in a cluster, to people or to programs. Cookies and session ids are in no event, so in no line. */
export interface ClusterLog {
  event(event: ClusterEvent): void;
  note(message: string): void;
  /** Why it ends. */
  fail(error: LimpetError): void;
  /** Everything said has left when it resolves. */
  flush(): Promise<void>;
}

/** What the banner says besides the addresses, which are known once the cluster is ready. */
export type StartFacts = Omit<BannerFacts, 'url' | 'adminUrl'>;

const nodeStyles = ['cyan', 'magenta', 'yellow', 'green', 'blue'] as const;

/** Lines for people. */
export function openPrettyLog(
  writer: LineWriter,
  screen: Screen,
  facts: StartFacts,
  sinceStartMs: () => number,
): ClusterLog {
  return {
    event(event) {
      for (const line of formatEvent(event, screen, facts, sinceStartMs())) writer.write(`${line}\n`);
    },
    note: (message) => writer.write(`${message}\n`),
    fail: (error) => writer.write(`${formatError(error, screen)}\n`),
    flush: () => writer.flush(),
  };
}

/** The lines of one event; most events have none. */
export function formatEvent(
  event: ClusterEvent,
  screen: Pick<Screen, 'paint'>,
  facts: StartFacts,
  sinceStartMs: number,
): readonly string[] {
  const name = (node: string): string => {
    const style = nodeStyles[Number(node.slice(1)) % nodeStyles.length] ?? 'cyan';
    return screen.paint(style, node.padEnd(2));
  };
  switch (event.kind) {
    case 'output':
      return [`${name(event.node)} ${event.line}`];
    case 'node-ready':
      return event.notes.map((note) => `${name(event.node)} ${note}`);
    case 'ready':
      return [
        ...formatBanner({ ...facts, url: event.url, adminUrl: event.adminUrl }),
        screen.paint('green', formatReady(sinceStartMs)),
      ];
    case 'adopted':
      return [
        screen.paint('green', formatAdoption(event)),
        ...formatDifferences(event.differences).map((line) => screen.paint('yellow', line)),
      ];
    case 'death':
      return [screen.paint('yellow', formatDeath(event.report))];
    case 'start-failed':
      return [
        `${event.node} ended before it was ready (${formatReason(event.reason)}), next start in ${ms(event.retryMs)}`,
      ];
    case 'node-failed':
      return [screen.paint('red', `${event.node} stays down: ${formatReason(event.reason)}`)];
    case 'balancer-died':
      return [screen.paint('yellow', `${event.balancer} died (${event.how}), another one takes its place`)];
    case 'operation':
      return [event.message];
    case 'health':
      return [screen.paint('yellow', event.message)];
    case 'sessions-loaded':
    case 'sessions-saved':
      return [formatKept(event) ?? ''];
    case 'sessions-set-aside':
      return [screen.paint('red', formatKept(event) ?? '')];
    case 'warning':
      return [screen.paint('yellow', `warning: ${event.message}`)];
    case 'stopping':
      return ['stopping: requests that run are finished (Ctrl-C again ends at once)'];
    case 'stopped':
      return [`stopped after ${ms(event.ms)}`];
    // `died` is followed by `death` with the figures, `all-failed` by the error; the others add nothing to the banner.
    case 'all-failed':
    case 'died':
    case 'starting':
    case 'node-joined':
      return [];
    default:
      return unreachable(event);
  }
}
