import type { ClusterEvent } from '@limpet/supervisor';
import { count } from './format-banner.ts';
import { ms } from './format-death.ts';

type EventOf<Kind extends ClusterEvent['kind']> = ClusterEvent & { readonly kind: Kind };

/** `1,204 sessions`. */
const sessions = (n: number): string =>
  count(n, 'session').replace(/\d+/, (digits) => Number(digits).toLocaleString('en'));

/** What became of the sessions over a full stop; null for any other event. */
export function formatKept(event: ClusterEvent): string | null {
  if (event.kind === 'sessions-loaded') return formatLoaded(event);
  if (event.kind === 'sessions-set-aside') return formatSetAside(event);
  return event.kind === 'sessions-saved' ? formatSaved(event) : null;
}

/** `1,204 sessions loaded in 120 ms, 3 expired`. */
function formatLoaded(event: EventOf<'sessions-loaded'>): string {
  const { expired, unverified, missing } = event;
  const number = (n: number): string => n.toLocaleString('en');
  return [
    `${sessions(event.sessions)} loaded in ${ms(event.ms)}`,
    ...(expired > 0 ? [`${number(expired)} expired`] : []),
    ...(unverified > 0 ? [`${number(unverified)} not loaded: their ids were signed with a key that is gone`] : []),
    ...(missing > 0 ? [`${number(missing)} not loaded: their file cannot be read`] : []),
  ].join(', ');
}

/** `n1.1.app.sessions is not loaded: …; it is now called …`. */
function formatSetAside({ file, now, why, sessions: held }: EventOf<'sessions-set-aside'>): string {
  const what = held === null ? 'saved sessions' : sessions(held);
  return `${what} in ${file} cannot be loaded, or not all: ${why}; the file is now called ${now}`;
}

/** `1,204 sessions saved in 120 ms`. */
function formatSaved(event: EventOf<'sessions-saved'>): string {
  const saved = `${sessions(event.sessions)} saved in ${ms(event.ms)}`;
  if (event.unsaved === 0) return saved;
  const lost = `${sessions(event.unsaved)} not saved: ${event.why}`;
  return event.sessions === 0 ? lost : `${saved}; ${lost}`;
}
