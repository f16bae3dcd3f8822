import { handoverMutants } from './handovers.ts';
import { memberMutants } from './members.ts';
import type { HeldElsewhere, Mutant } from './mutant.ts';
import { requestMutants } from './requests.ts';
import { sessionMutants } from './sessions.ts';
import { viewMutants } from './views.ts';
import { writeMutants } from './writes.ts';

/** All of them, in the order of the rules. */
export const mutants: readonly Mutant[] = [
  ...writeMutants,
  ...viewMutants,
  ...memberMutants,
  ...handoverMutants,
  ...sessionMutants,
  ...requestMutants,
].sort((a, b) => Number(a.rule.slice(1)) - Number(b.rule.slice(1)));

/** What no world without a kernel can break. */
export const heldElsewhere: readonly HeldElsewhere[] = [
  {
    rule: 'P6',
    what: 'that the newer custody wins over the higher version',
    why: 'a primary has asked all that live before it commits, or holds all that was acknowledged: an older custody with a higher version is met in files saved at a full stop',
    tests: ['packages/core/src/saved.test.ts'],
  },
  {
    rule: 'P16',
    what: 'that a request whose change another one has committed stands in the log as committed',
    why: 'it stands there as carried already, so a retry never runs: it is told that nothing is known instead of given its answer, which no invariant forbids',
    tests: ['packages/session/src/facade.test.ts'],
  },
  {
    rule: 'P7',
    what: 'the proof of a death by /proc',
    why: 'the simulator tells the supervisor of deaths, late and in any order, but has no process table to misread',
    tests: ['packages/supervisor/src/proc.test.ts'],
  },
  {
    rule: 'P18',
    what: 'the listening queue that outlives its balancer',
    why: 'the queue and its descriptor are the kernel’s; a simulated client whose balancer is dead tries again by itself',
    tests: ['test/balancer-kill.long.test.ts', 'packages/supervisor/src/listener.test.ts'],
  },
];
