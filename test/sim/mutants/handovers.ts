import type { Mutant } from './mutant.ts';

const core = 'packages/core/dist';

/** P10: a session changes its primary while requests run on it. */
export const handoverMutants: readonly Mutant[] = [
  {
    name: 'requests do not wait for those at the former primary',
    rule: 'P10',
    file: `${core}/primary/claim.js`,
    find: 'if (entry.handover !== null)\n            entry.blocked.push(token);\n        else\n            opened(state, entry, token);\n    }\n    else if (!state.isPrimary(id)) {',
    replace: 'opened(state, entry, token);\n    }\n    else if (!state.isPrimary(id)) {',
    also: [
      {
        file: `${core}/primary/claim.js`,
        find: 'if (entry.handover !== null)\n            entry.blocked.push(token);\n        else\n            opened(state, entry, token);\n    }\n}',
        replace: 'opened(state, entry, token);\n    }\n}',
      },
    ],
    why: 'A forwarded change overwrites what was committed since (1).',
  },
  {
    name: 'a forward that comes too late is applied',
    rule: 'P10',
    file: `${core}/primary/relayed.js`,
    find: 'if (!isLogged && !(mayTake && mayBury)) {',
    replace: 'if (entry === null) {',
    also: [
      {
        file: `${core}/primary/claim.js`,
        find: 'export const handoverWaitMs = 2_000;',
        replace: 'export const handoverWaitMs = 20;',
      },
    ],
    why: 'With a short wait many come late. The session has gone on without it: its change undoes others (1).',
  },
  {
    name: 'the former primary lets its responses out',
    rule: 'P10',
    file: `${core}/primary/former.js`,
    find: "if ('token' in done)\n            addPending(state, former, id, { token: done.token, request: noRequest, commit: null, work });",
    replace:
      "if ('token' in done)\n            state.effects.push({ kind: 'settled', token: done.token, settled: { kind: 'safe' } });",
    why: 'Nobody has confirmed what they show: the new primary may not have it (1, 2).',
  },
  {
    name: 'the new primary confirms what its write set lacks',
    rule: 'P10',
    file: `${core}/primary/relayed.js`,
    find: 'wait(state, entry, entry.record.mark.version, reply);\n        return;',
    replace: "settle(state, reply, { kind: 'safe' });\n        return;",
    why: 'A response leaves at the former primary with one copy behind it (5).',
  },
  {
    name: 'a claim is answered before the app has handed down its record',
    rule: 'P10',
    file: `${core}/copy.js`,
    find: 'if (from === this.#self || swept || this.#barrier === null) {',
    replace: 'if (swept || !swept) {',
    why: 'The new primary goes on from a state without the last commits (1).',
  },
  {
    name: 'the former primary commits on',
    rule: 'P10',
    file: `${core}/primary/advance.js`,
    find: 'if (primary !== state.self) {\n            demote(state, entry);',
    replace: 'if (primary !== state.self && !state.running.has(id)) {\n            demote(state, entry);',
    why: 'Two commit for one session in one view (2).',
  },
];
