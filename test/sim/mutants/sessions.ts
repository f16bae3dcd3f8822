import type { Mutant } from './mutant.ts';

const core = 'packages/core/dist';
const session = 'packages/session/dist';

/** P13 to P16: how sessions are born, renewed, shared and ended. */
export const sessionMutants: readonly Mutant[] = [
  {
    name: 'destroying leaves the session as it is',
    rule: 'P13',
    file: `${core}/record.js`,
    find: 'if (commit.destroy) {\n        bury(record);',
    replace: 'if (commit.destroy) {',
    why: 'Whoever has signed out is signed in (6).',
  },
  {
    name: 'a tombstone is sent as a session',
    rule: 'P13',
    file: `${core}/record.js`,
    find: 'attributes: new Map(attributes),\n        deleted,',
    replace: 'attributes: new Map(attributes),\n        deleted: false,',
    why: 'A copy that missed the burial brings the session back (6, 9).',
  },
  {
    name: 'a tombstone is forgotten at once',
    rule: 'P13',
    file: `${core}/lifetimes.js`,
    find: 'export const tombstoneKeptMs = (lifetimes) => Math.max(lifetimes.idleMs + 2 * touchGraceMs(lifetimes), logKeptMs(lifetimes));',
    replace: 'export const tombstoneKeptMs = () => 0;',
    also: [
      {
        file: `${core}/copy/copies.js`,
        find: 'nowMs - record.touchedAt > this.#tombstoneKeptMs + endedMarginMs',
        replace: 'nowMs - record.touchedAt > this.#tombstoneKeptMs',
      },
    ],
    why: 'A copy that missed the burial is taken for the session (6).',
  },
  {
    name: 'the sign-out is answered before its tombstone is safe',
    rule: 'P13',
    file: `${session}/request-session.js`,
    find: 'return rejectUnsafe(this.#destroying);',
    replace: 'return Promise.resolve();',
    also: [
      {
        file: `${session}/request-session.js`,
        find: 'if (this.#destroying !== null)\n            return this.#destroying;',
        replace: 'if (this.#destroying !== null)\n            return safe;',
      },
    ],
    why: 'A death takes the tombstone, and the session is back (6).',
  },
  {
    name: 'copies are not told of use, and give no grace',
    rule: 'P14',
    file: `${core}/primary/touch.js`,
    find: 'if (state.nowMs - state.touchesSentAtMs < state.touchEveryMs)\n        return;',
    replace: 'if (state.nowMs > 0)\n        return;',
    also: [
      {
        file: `${core}/primary/touch.js`,
        find: 'record.touchedAt - entry.toldAt > state.touchGraceMs',
        replace: 'record.touchedAt < 0',
      },
    ],
    why: 'A promoted member ends a session that is in use (1, 14).',
  },
  {
    name: 'idle sessions do not end',
    rule: 'P14',
    file: `${core}/primary/touch.js`,
    find: 'record.mark.version > 0 && state.nowMs - record.touchedAt > state.idleMs + graceMs;',
    replace: 'record.mark.version < 0;',
    why: 'A session outlives its idle limit (14).',
  },
  {
    name: 'a session ends before its idle limit',
    rule: 'P14',
    file: `${core}/primary/touch.js`,
    find: 'state.nowMs - record.touchedAt > state.idleMs + graceMs',
    replace: 'state.nowMs - record.touchedAt > (state.idleMs + graceMs) / 20',
    why: 'A user who thinks for a while is signed out (1, 14).',
  },
  {
    name: 'the absolute limit stretches',
    rule: 'P14',
    file: `${core}/primary/touch.js`,
    find: 'mark.version > 0 && state.nowMs > expiresAt;',
    replace: 'mark.version < 0;',
    also: [
      {
        file: `${session}/replicated-engine.js`,
        find: 'record === null || record.deleted || this.#options.now() >= record.expiresAt',
        replace: 'record === null || record.deleted',
      },
    ],
    why: 'A session that is used for ever lives for ever (14).',
  },
  {
    name: 'an id is drawn without looking where its home is',
    rule: 'P15',
    file: 'packages/worker/dist/mint.js',
    find: '[now.ring, now.next ?? []].filter((set) => set.includes(node));',
    replace: '[];',
    why: 'Its maker is not its primary (16).',
  },
  {
    name: 'an id is drawn without regard to the next ring',
    rule: 'P15',
    file: 'packages/worker/dist/mint.js',
    find: '[now.ring, now.next ?? []].filter((set) => set.includes(node));',
    replace: '[now.ring].filter((set) => set.includes(node));',
    why: 'It moves as soon as the join is over (16).',
  },
  {
    name: 'a new id for the same user has another home',
    rule: 'P15',
    file: 'packages/worker/dist/mint.js',
    find: 'placement: kin === null ? drawPlacement() : placementOf(kin),',
    replace: 'placement: drawPlacement(),',
    why: 'The write that makes the new and buries the old one goes to copies of one of them only (6, 9).',
  },
  {
    name: 'the old id lives on',
    rule: 'P15',
    file: `${core}/record.js`,
    find: 'record.expiresAt = commit.create.expiresAt;\n    bury(record);',
    replace: 'record.expiresAt = commit.create.expiresAt;',
    why: 'An id that was given up because it may be known still opens the session (6).',
  },
  {
    name: 'a renewal is not in the log of the old id',
    rule: 'P15',
    file: `${core}/record.js`,
    find: 'bury(record);\n    touch(record, commit.at);\n    remember(record, mark.version, commit, keptFrom, limits);',
    replace: 'bury(record);\n    touch(record, commit.at);',
    why: 'A retry under the old id is not known there and runs again (10).',
  },
  {
    name: 'every request has a record of its own',
    rule: 'P16',
    file: `${session}/live.js`,
    find: 'if (held.live instanceof Live)\n            return held.live;',
    replace: '',
    why: 'The last one that writes undoes the others: no fault is needed (1).',
  },
  {
    name: 'a version does not name whose unfinished changes it carries',
    rule: 'P16',
    file: `${session}/live.js`,
    find: 'return { change: { set, remove }, carries: this.#unfinished(touches, [...set.keys(), ...remove]) };',
    replace: 'return { change: { set, remove }, carries: [] };',
    why: 'After a death a request runs again whose change another one has published (10).',
  },
  {
    name: 'changes in place are not seen',
    rule: 'P16',
    file: `${session}/live.js`,
    find: 'for (const name of touches.seen)\n            this.#compare(name, set, remove);\n        return { change',
    replace:
      'for (const name of touches.wrote)\n            this.#compare(name, set, remove);\n        return { change',
    why: 'A commit that contains only what was assigned loses what was pushed (1).',
  },
];
