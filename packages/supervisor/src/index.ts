export { askCluster } from './ask.ts';
export type { Cluster } from './cluster.ts';
export type { ClusterEvent, DeathReport } from './events.ts';
export type { AppOptions, ClusterOptions } from './options.ts';
export { listProcesses, stopOrphans } from './orphans.ts';
export type { ProcessEntry } from './process-table.ts';
export type { Question, SessionAnswer } from './questions.ts';
export { startCluster } from './start.ts';
export type { BalancerStatus, NodeStatus, Status } from './status.ts';
