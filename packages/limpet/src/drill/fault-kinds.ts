/** Every way to hurt a cluster that the drill knows, and how often it is chosen against the others. */
export const faultWeights = {
  kill: 60,
  crash: 8,
  memory: 3,
  block: 6,
  pause: 8,
  hang: 3,
  balancer: 5,
  supervisor: 4,
  rolling: 1,
  scale: 1,
  drain: 2,
  double: 0,
} as const;

export type FaultKind = keyof typeof faultWeights;
export const faultKinds = Object.keys(faultWeights) as readonly FaultKind[];

/** What each does, for people. */
export const faultMeanings: Readonly<Record<FaultKind, string>> = {
  kill: 'SIGKILL for a worker',
  crash: 'a request that ends its worker: exit, throw, abort',
  memory: "a request that fills its worker's heap until V8 ends it",
  block: "a request that blocks its worker's loop",
  pause: 'SIGSTOP for a worker, SIGCONT before it counts as hung',
  hang: 'SIGSTOP for a worker until the cluster kills it',
  balancer: 'SIGKILL for a balancer',
  supervisor: 'SIGKILL for the supervisor, every other time for a worker meanwhile, and a start that takes over',
  rolling: 'limpet restart --rolling',
  scale: 'limpet scale, one node more and back',
  drain: 'limpet drain of a node, and undrain',
  double: 'SIGKILL for two workers at once; needs --copies 3',
};

/** The command that a fault is made with, where it is made with one. */
export const faultCommands: Readonly<Partial<Record<FaultKind, string>>> = {
  rolling: 'restart',
  scale: 'scale',
  drain: 'drain',
};
