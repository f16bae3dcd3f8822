import type { Mutant } from './mutant.ts';

const core = 'packages/core/dist';
const worker = 'packages/worker/dist';
const balancer = 'packages/balancer/dist';

/** P1, P19, P20, P21: where a request runs, whether it runs again, and what its client is told. */
export const requestMutants: readonly Mutant[] = [
  {
    name: 'whoever is asked serves',
    rule: 'P1',
    file: `${worker}/admission-rule.js`,
    find: "return primary === node ? { kind: 'serve' }",
    replace: "return true ? { kind: 'serve' }",
    also: [
      {
        file: `${core}/primary/state.js`,
        find: 'return assign(this.rank, view, id).primary === this.self;',
        replace: 'return true;',
      },
    ],
    why: 'Two serve one session: each goes on from a state of its own (1, 2).',
  },
  {
    name: 'a request that has run is answered 421',
    rule: 'P1',
    file: `${worker}/release-rule.js`,
    find: "status: verdict.why === 'deadline' ? 504 : 502, verdict: 'unknown'",
    replace: "status: 421, verdict: 'not-executed'",
    why: 'It is sent again as if nothing had happened, and its effect comes twice (10).',
  },
  {
    name: 'a retried request runs before its log is asked',
    rule: 'P1',
    file: `${worker}/reception.js`,
    find: "visit.attempt > 1 || turn === 'taken'",
    replace: "turn === 'taken'",
    why: 'A request that may not run twice runs twice (19).',
  },
  {
    name: 'a member that leaves takes new sessions',
    rule: 'P1',
    file: `${worker}/admission-rule.js`,
    find: 'const takesNew = view.ring.includes(node) && !view.leaving.includes(node);',
    replace: 'const takesNew = true;',
    also: [
      {
        file: `${core}/route.js`,
        find: 'const homes = view.ring.filter(isListed);',
        replace: 'const homes = Object.keys(view.members);',
      },
    ],
    why: 'A joiner, or one that is drained, serves (15), and makes ids whose home is elsewhere (16).',
  },
  {
    name: 'a balancer stays with the view it began with',
    rule: 'P19',
    file: `${balancer}/cluster.js`,
    find: 'if (present !== null && compareViews(view, present) <= 0)',
    replace: 'if (present !== null && view.term <= present.term)',
    why: 'Whoever comes by way of it is sent to the dead (22).',
  },
  {
    name: 'a 421 is taken for an attempt that has run',
    rule: 'P19',
    file: `${core}/retry.js`,
    find: 'return attempted.replayable && attempted.reroutes <= reroutesMax\n                ? again(prior, { refresh: true })\n                : answer(prior);',
    replace: "return answer('head');",
    why: 'Users are told to look whether something happened that certainly did not (10).',
  },
  {
    name: 'what ran is told as not executed',
    rule: 'P20',
    file: `${core}/retry.js`,
    find: 'export function decideOutcome(prior) {\n    if (prior === null)',
    replace: "export function decideOutcome(prior) {\n    if (prior !== 'head')",
    why: 'The user repeats what has been done (10).',
  },
  {
    name: 'what may not run twice runs twice',
    rule: 'P20',
    file: `${core}/retry.js`,
    find: "if (mayRunAgain(request))\n        return 'run';",
    replace: "if (request !== null)\n        return 'run';",
    why: 'A POST that nobody has declared is run again after a death (19).',
  },
  {
    name: 'a carried request runs again',
    rule: 'P20',
    file: `${core}/retry.js`,
    find: 'export function decideRetried(entry, request, prior) {\n    if (entry !== null) {',
    replace:
      "export function decideRetried(entry, request, prior) {\n    if (entry !== null && entry.state !== 'carried') {",
    why: 'Its change has been published by another one: it is made twice (10).',
  },
  {
    name: 'a committed request runs again',
    rule: 'P20',
    file: `${core}/retry.js`,
    find: 'export function decideRetried(entry, request, prior) {\n    if (entry !== null) {',
    replace: 'export function decideRetried(entry, request, prior) {\n    if (entry === undefined) {',
    why: 'The log is not believed (10, 19).',
  },
  {
    name: 'a retry does not say that it is one',
    rule: 'P20',
    file: `${balancer}/relay.js`,
    find: 'const attempt = this.#prior === null ? 1 : this.#runs + 1;',
    replace: 'const attempt = 1;',
    why: 'The worker runs it as if it were the first (19).',
  },
  {
    name: 'the dead are always innocent',
    rule: 'P21',
    file: `${core}/retry.js`,
    find: "if (death.cause === 'killed')",
    replace: 'if (death !== undefined)',
    why: 'A request that ended its worker, alone in it, is given another one to end (19).',
  },
  {
    name: 'a third worker is risked',
    rule: 'P21',
    file: `${core}/retry.js`,
    find: 'export const deathsMax = 2;',
    replace: 'export const deathsMax = 9;',
    also: [
      {
        file: `${core}/retry.js`,
        find: "if (isSuspect && (end.suspicion === 'alone' || attempted.suspected >= deathsMax))",
        replace: 'if (isSuspect && attempted.suspected < 0)',
      },
    ],
    why: 'One bad link walks through the cluster (19).',
  },
];
