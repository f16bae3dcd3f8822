import type { Mutant } from './mutant.ts';

const core = 'packages/core/dist';
const session = 'packages/session/dist';

/** P2, P3, P4: how a change comes into being, where it is accepted, and when its answer may leave. */
export const writeMutants: readonly Mutant[] = [
  {
    name: 'no request log',
    rule: 'P2',
    file: `${core}/record.js`,
    find: 'function remember(record, version, commit, keptFrom, limits) {',
    replace: 'function remember() {\n    return;\n}\nfunction rememberNot(record, version, commit, keptFrom) {',
    why: 'A retried request is not known and runs again: its effect comes twice (10).',
  },
  {
    name: 'the log stays behind when a record is sent',
    rule: 'P2',
    file: `${core}/record.js`,
    find: 'log: [...log.values()],',
    replace: 'log: [],',
    why: 'Who gets a session whole does not know its requests: they run again there (10), and copies differ (9).',
  },
  {
    name: 'a delivered answer takes its id with it',
    rule: 'P2',
    file: `${core}/record.js`,
    find: 'record.log.set(request, { ...entry, answer: null });',
    replace: 'record.log.delete(request);',
    why: 'The log forgets requests while they still run: their further commits and retries are new to it (9, 10).',
  },
  {
    name: 'a known request id is committed again',
    rule: 'P2',
    file: `${core}/primary/commit.js`,
    find: "earlier !== undefined && earlier.state === 'committed' && earlier.commits >= commit.ordinal",
    replace: 'earlier === null',
    why: 'What another attempt has committed is committed again, over what came in between (1).',
  },
  {
    name: 'a write goes to one member of the write set only',
    rule: 'P2',
    file: `${core}/primary/supply.js`,
    find: 'for (const member of entry.others) {\n        const lane = state.links.get(member)?.lane;\n        if (lane === undefined)\n            continue;\n        const isFirst',
    replace:
      'for (const member of entry.others.slice(0, 1)) {\n        const lane = state.links.get(member)?.lane;\n        if (lane === undefined)\n            continue;\n        const isFirst',
    why: 'With three copies, or a next ring, the others never acknowledge: the gate stays shut (22).',
  },
  {
    name: 'a message of a newer view is taken at once',
    rule: 'P3',
    file: `${core}/copy.js`,
    find: 'const order = view === null ? 1 : compareViews(message.view, view);',
    replace: 'const order = view === null ? 1 : Math.min(0, compareViews(message.view, view));',
    why: 'It is judged and answered in a view that its sender has left: nobody takes the answer (22).',
  },
  {
    name: 'a message of an older view is taken, whoever sends it',
    rule: 'P3',
    file: `${core}/copy.js`,
    find: 'if (order < 0 || view === null)\n            return;',
    replace: 'if (view === null)\n            return;',
    also: [
      {
        file: `${core}/copy.js`,
        find: 'if (primary !== from)\n            return;\n        const copy = this.#copies.advance(id);',
        replace: 'const copy = this.#copies.advance(id);',
      },
    ],
    why: 'What a former primary still had under way overwrites what its successor has committed (1, 4).',
  },
  {
    name: 'a write is applied over a gap',
    rule: 'P3',
    file: `${core}/copy.js`,
    find: 'const fits = mine === undefined ? message.previous.version === 0 : sameMark(mine, message.previous);',
    replace: 'const fits = true;',
    why: 'The copy lacks what was lost on the way, and acknowledges all the same (1, 9).',
  },
  {
    name: 'a copy acknowledges what it has not got',
    rule: 'P3',
    file: `${core}/copy.js`,
    find: "if (!fits) {\n            this.#answer(from, { kind: 'need', id, view: numberOf(view) });",
    replace:
      "if (!fits) {\n            this.#answer(from, { kind: 'ack', id, view: numberOf(view), version: message.mark.version });",
    why: 'A version counts as safe that nobody but its primary holds (4, 5).',
  },
  {
    name: 'the answer does not wait',
    rule: 'P4',
    file: `${core}/primary/gate.js`,
    find: 'if (acknowledged(entry) >= version) {',
    replace: 'if (acknowledged(entry) >= version || true) {',
    why: 'A write is acknowledged to the user that only its primary holds (5), and dies with it (1).',
  },
  {
    name: 'one acknowledgement of several is enough',
    rule: 'P4',
    file: `${core}/primary/gate.js`,
    find: 'others.reduce((least, member) => Math.min(least, acked.get(member) ?? unsynced), Number.POSITIVE_INFINITY)',
    replace:
      'others.length === 0 ? Number.POSITIVE_INFINITY : others.reduce((most, member) => Math.max(most, acked.get(member) ?? unsynced), unsynced)',
    why: 'In a join, or with three copies, a write leaves that some of its write set lack (5, 18).',
  },
  {
    name: 'reads are not gated',
    rule: 'P4',
    file: `${session}/request-session.js`,
    find: 'return hasTouched ? this.#safe() : safe;',
    replace: 'return safe;',
    why: 'A read shows what is not safe yet (5) and may be gone with the next death (3).',
  },
  {
    name: 'the deadline opens the gate',
    rule: 'P4',
    file: 'packages/worker/dist/release-rule.js',
    find: "if (verdict.kind === 'safe')\n        return",
    replace:
      "if (verdict.kind === 'safe' || (verdict.kind === 'unknown' && verdict.why === 'deadline'))\n        return",
    why: 'A copy that is silent for long enough is done without (5).',
  },
  {
    name: 'an acknowledgement does not open the gate',
    rule: 'P4',
    file: `${core}/primary/gate.js`,
    find: 'report(state);\n        release(state, entry);',
    replace: 'report(state);',
    why: 'Every response waits for its deadline (22).',
  },
];
