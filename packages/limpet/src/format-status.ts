import type { LeftStatus, NodeStatus, Status } from '@limpet/supervisor';
import { count } from './format-banner.ts';
import { formatTable } from './format-table.ts';

/** The part of a status that the table shows. */
export interface ShownStatus
  extends Pick<
    Status,
    'view' | 'settled' | 'unprotected' | 'lost' | 'lostIsExact' | 'url' | 'admin' | 'store' | 'copies'
  > {
  readonly supervisor: Pick<Status['supervisor'], 'pid'>;
  readonly balancers: readonly Pick<Status['balancers'][number], 'id' | 'pid'>[];
  readonly nodes: readonly ShownNode[];
}

type ShownNode = Pick<
  NodeStatus,
  | 'id'
  | 'pid'
  | 'incarnation'
  | 'health'
  | 'mode'
  | 'leaving'
  | 'paused'
  | 'version'
  | 'sessions'
  | 'inFlight'
  | 'reason'
  | 'givenUp'
  | 'ports'
>;

const head = ['node', 'pid', 'start', 'health', 'mode', 'version', 'primary of', 'buddy of', 'in flight'];

/** Lines of `limpet status`. */
export function formatStatus(status: ShownStatus): readonly string[] {
  const { view, nodes, supervisor, balancers } = status;
  const shownView = view === null ? 'no view yet' : `view ${view.term}.${view.number}`;
  return [
    `app ${status.url}   admin ${status.admin.url}`,
    [
      shownView,
      formatCopying(status),
      `supervisor pid ${supervisor.pid}`,
      ...balancers.map(({ id, pid }) => `${id} pid ${pid ?? '-'}`),
    ].join(' · '),
    '',
    ...formatTable(head, nodes.map(cellsOf)),
    ...nodes.flatMap(formatReason),
    ...nodes.flatMap(({ id, ports }) => ports.map((note) => `${id}: ${note}`)),
    ...formatLoss(status),
    ...formatAdvice(status),
  ];
}

/** Lines of `limpet status` for a cluster whose supervisor is gone. */
export function formatLeft({ url, view, balancers, nodes }: LeftStatus): readonly string[] {
  const cells = nodes.map(({ id, pid, incarnation, health }) => [id, String(pid ?? '-'), `#${incarnation}`, health]);
  return [
    `app ${url ?? '-'}`,
    [
      view === null ? 'no view on disk' : `view ${view.term}.${view.number}`,
      'no supervisor',
      ...balancers.map(({ id, pid }) => `${id} pid ${pid}`),
    ].join(' · '),
    '',
    ...formatTable(head.slice(0, 4), cells),
  ];
}

const cellsOf = (node: ShownNode): readonly string[] => [
  node.id,
  node.pid === null ? '-' : String(node.pid),
  `#${node.incarnation}`,
  node.health,
  [node.mode, ...(node.leaving ? ['leaving'] : []), ...(node.paused ? ['paused'] : [])].join(', '),
  node.version,
  String(node.sessions.primary),
  String(node.sessions.buddy),
  String(node.inFlight),
];

const formatCopying = ({ settled, unprotected }: ShownStatus): string =>
  `${settled ? 'settled' : 'copying'}, ${count(unprotected, 'session')} short of copies`;

function formatReason({ id, health, mode, reason, givenUp }: ShownNode): readonly string[] {
  if (reason === null) return [];
  if (health === 'suspect') return [`${id} is suspect: ${reason}`];
  if (mode === 'drain') return [];
  return [givenUp ? `${id} stays down: ${reason}` : `${id} was started anew: ${reason}`];
}

function formatLoss({ lost, lostIsExact }: ShownStatus): readonly string[] {
  if (lost === 0) return [];
  return [
    `lost ${lostIsExact ? '' : 'about '}${count(lost, 'session')} with all their copies since the supervisor began`,
  ];
}

/** What the number of nodes means for a death. */
function formatAdvice({ nodes, store, copies }: ShownStatus): readonly string[] {
  if (store === 'memory' || copies === 1) return ['one copy of each session: they die with their node'];
  if (nodes.length === 1) return ['one node: nothing is copied, sessions die with it'];
  return nodes.length === 2 ? ['two nodes: when one dies, the other carries the load of both'] : [];
}
