import type { Mutant } from './mutant.ts';

const core = 'packages/core/dist';

/** P7, P8, P9, P11, P17: who is a member, who is dead, and how the supervisor decides it. */
export const memberMutants: readonly Mutant[] = [
  {
    name: 'a proven death changes nothing',
    rule: 'P7',
    file: `${core}/membership.js`,
    find: 'return [this.#publish(rest, deaths), ...this.#move(nowMs)];\n    }\n    #report',
    replace: 'return [...this.#move(nowMs)];\n    }\n    #report',
    why: 'Users of the dead are never served again (9, 22).',
  },
  {
    name: 'the only custodian may be shot',
    rule: 'P8',
    file: `${core}/health.js`,
    find: 'if (silentMs < custodyMs && this.#mayBeOnlyCustodian(member))',
    replace: 'if (silentMs < 0)',
    why: 'The supervisor itself destroys a session (21).',
  },
  {
    name: 'the last member may be shot',
    rule: 'P8',
    file: `${core}/health.js`,
    find: 'if (this.#view?.ring.some((id) => id !== member.node) !== true)',
    replace: 'if (this.#view === null)',
    also: [
      {
        file: `${core}/health.js`,
        find: 'if (silentMs < custodyMs && this.#mayBeOnlyCustodian(member))',
        replace: 'if (silentMs < 0)',
      },
    ],
    why: 'With it everything goes (21).',
  },
  {
    name: 'a slow machine looks like hanging workers',
    rule: 'P8',
    file: `${core}/health.js`,
    find: 'if (nowMs - this.#calmSinceMs < confirmMs)',
    replace: 'if (nowMs < this.#calmSinceMs)',
    why: 'Everyone is silent at once, and one after the other is shot for it (21).',
  },
  {
    name: 'a join does not wait for the transfer',
    rule: 'P9',
    file: `${core}/membership.js`,
    find: 'if (!holders.every((id) => ',
    replace: 'if (this.#done.size === 0 && !holders.every((id) => ',
    why: 'A death is forgiven before its sessions have their copies again: the next one takes them (1, 9).',
  },
  {
    name: 'a join does not wait for the keepers',
    rule: 'P9',
    file: `${core}/membership.js`,
    find: ' keeper`)',
    replace: ' app`)',
    why: 'Copies that their primary does not know of are left behind (1, 13).',
  },
  {
    name: 'the joiner is not in the write set',
    rule: 'P9',
    file: `${core}/assignment.js`,
    find: 'return { primary, writeSet: [...now, ...then.filter((node) => !now.includes(node))] };',
    replace: 'return { primary, writeSet: now };',
    why: 'After the switch the new write set lacks what was written meanwhile (1).',
  },
  {
    name: 'done with an older view passes for done',
    rule: 'P9',
    file: `${core}/membership.js`,
    find: 'if (view === null || compareViews(event.view, view) !== 0 || !hasMember',
    replace: 'if (view === null || !hasMember',
    why: 'The joint view ends before anything has been sent to the joiner (1, 9).',
  },
  {
    name: 'done before all is acknowledged',
    rule: 'P9',
    file: `${core}/primary/custody.js`,
    find: 'if (view === null || state.sweep !== null || state.unsynced.size > 0)',
    replace: 'if (view === null)',
    why: 'The same from the worker that reports (1, 9).',
  },
  {
    name: 'done before all copies are confirmed',
    rule: 'P9',
    file: `${core}/copy.js`,
    find: 'if (view === null || this.#sweep !== null || this.#copies.unconfirmed.size > 0)',
    replace: 'if (view === null)',
    also: [
      {
        file: `${core}/copy.js`,
        find: 'if (this.#barrier !== null && (this.#appSwept === null || compareViews(this.#appSwept, this.#barrier) < 0))\n            return;',
        replace: '',
      },
    ],
    why: 'A drained member goes with copies that nobody else has (1).',
  },
  {
    name: 'a drain is a removal',
    rule: 'P11',
    file: `${core}/membership/content.js`,
    find: 'export const draining = (view, node) => ({ ...view, next: minus(view.ring, node) });',
    replace:
      'export const draining = (view, node) => ({ ...view, ring: minus(view.ring, node), members: Object.fromEntries(Object.entries(view.members).filter(([id]) => id !== node)) });',
    why: 'Who is drained takes its sessions with it, and runs requests that it is no member for (1, 15).',
  },
  {
    name: 'an adopting supervisor takes the dead for alive',
    rule: 'P17',
    file: `${core}/adoption.js`,
    find: 'adopt: this.#newest, dead: this.#deadMembers() }',
    replace: 'adopt: this.#newest, dead: [] }',
    why: 'Whoever died in the outage stays a member for ever (9, 22).',
  },
  {
    name: 'a new supervisor takes no term of its own',
    rule: 'P17',
    file: `${core}/adoption.js`,
    find: 'const term = Math.max(this.#term, (this.#newest?.term ?? 0) + 1);',
    replace: 'const term = this.#newest?.term ?? this.#term;',
    why: 'Two supervisors could name different views by the same number: the membership machine refuses to begin (7).',
  },
  {
    name: 'an adopting supervisor shoots who is silent',
    rule: 'P17',
    file: `${core}/adoption.js`,
    find: 'return !this.#isMember(left) || maySpareOne;',
    replace: 'return true;',
    why: 'Those who were only stopped may hold the only copies (21).',
  },
];
