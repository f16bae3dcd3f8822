import { describe, expect, test } from 'vitest';
import { beatMs, type HealthEffect, HealthMachine } from './health.ts';
import { type NodeId, nodeIdAt } from './ids.ts';
import type { View } from './view.ts';

const [n1, n2, n3, n4] = [1, 2, 3, 4].map(nodeIdAt) as [NodeId, NodeId, NodeId, NodeId];

function viewOf(number: number, ring: readonly NodeId[], parts: Partial<View> = {}): View {
  const members = Object.fromEntries(ring.map((id) => [id, { id, incarnation: 1, weight: 1 }]));
  return {
    term: 1,
    number,
    ring,
    next: null,
    leaving: [],
    members,
    copies: 2,
    keyId: 1,
    hashVersion: 1,
    ...parts,
  };
}

/** Who does not beat, and whose loop does not turn, for a while. */
interface Trouble {
  readonly stopped?: readonly NodeId[];
  readonly blocked?: readonly NodeId[];
  readonly inspected?: readonly NodeId[];
}

/** Members that beat on time unless told otherwise, and the lines of what the machine says, as `3.0 s kill n1 process`. */
class Story {
  readonly machine: HealthMachine;
  readonly lines: string[] = [];
  nowMs = 0;
  #view: View;
  readonly #turns = new Map<NodeId, number>();
  readonly #living: Set<NodeId>;

  constructor(ring: readonly NodeId[] = [n1, n2, n3, n4], hangKillMs = 30_000, parts: Partial<View> = {}) {
    this.machine = new HealthMachine({ hangKillMs });
    this.#view = viewOf(1, ring, parts);
    this.#living = new Set(ring);
    for (const node of ring) this.machine.step({ kind: 'ready', node, incarnation: 1, weight: 1 }, 0);
    this.machine.step({ kind: 'view', view: this.#view }, 0);
    for (const node of ring) this.done(node);
  }

  done(node: NodeId): void {
    for (const side of ['app', 'keeper'] as const) {
      this.machine.step({ kind: 'done', node, incarnation: 1, side, view: this.#view }, this.nowMs);
    }
  }

  pass(ms: number, trouble: Trouble = {}): this {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs += beatMs;
      for (const node of this.#living) {
        if (trouble.stopped?.includes(node)) continue;
        if (!trouble.blocked?.includes(node)) this.#turns.set(node, (this.#turns.get(node) ?? 0) + 1);
        const inspected = trouble.inspected?.includes(node) ?? false;
        this.beat(node, inspected);
      }
      this.#say(this.machine.step({ kind: 'tick', lagMs: 0 }, this.nowMs));
    }
    return this;
  }

  beat(node: NodeId, inspected = false): void {
    const turns = this.#turns.get(node) ?? 0;
    this.#say(this.machine.step({ kind: 'beat', node, incarnation: 1, turns, inspected }, this.nowMs));
  }

  /** The supervisor itself does not run for so long. */
  oversleep(ms: number): this {
    this.nowMs += ms;
    this.#say(this.machine.step({ kind: 'tick', lagMs: ms - beatMs }, this.nowMs));
    return this;
  }

  /** The proof of a death and the view without it; the survivors are done unless `copying`. */
  dies(node: NodeId, copying = false): this {
    this.#living.delete(node);
    const death = { node, incarnation: 1, cause: 'killed', how: 'SIGKILL', running: null } as const;
    this.machine.step({ kind: 'died', death }, this.nowMs);
    this.#view = viewOf(this.#view.number + 1, [...this.#living]);
    this.machine.step({ kind: 'view', view: this.#view }, this.nowMs);
    if (!copying) for (const survivor of this.#living) this.done(survivor);
    return this;
  }

  /** It was drained and has ended in order. */
  leaves(node: NodeId): this {
    this.#living.delete(node);
    this.machine.step({ kind: 'left', node, incarnation: 1 }, this.nowMs);
    this.#view = viewOf(this.#view.number + 1, [...this.#living]);
    this.machine.step({ kind: 'view', view: this.#view }, this.nowMs);
    for (const survivor of this.#living) this.done(survivor);
    return this;
  }

  enter(view: View): this {
    this.#view = view;
    this.machine.step({ kind: 'view', view }, this.nowMs);
    return this;
  }

  #say(effects: readonly HealthEffect[]): void {
    for (const effect of effects) {
      const what = effect.kind === 'cleared' ? '' : ` ${effect.clock}`;
      const guard = effect.kind === 'spared' ? ` ${effect.guard}` : '';
      this.lines.push(`${(this.nowMs / 1_000).toFixed(1)} s ${effect.kind} ${effect.node}${what}${guard}`);
    }
  }
}

describe('health: the two clocks', () => {
  test('everyone beats and turns: nothing is said', () => {
    expect(new Story().pass(60_000).lines).toEqual([]);
  });

  test('a process stops: suspect after 1 s, killed after 3 s, once', () => {
    const story = new Story().pass(1_000).pass(10_000, { stopped: [n2] });
    expect(story.lines).toEqual(['2.0 s suspect n2 process', '4.0 s kill n2 process']);
  });

  test('a process stops for 0.9 s: nothing; for 2 s: suspect, then cleared', () => {
    const story = new Story()
      .pass(900, { stopped: [n2] })
      .pass(1_000)
      .pass(2_000, { stopped: [n2] })
      .pass(5_000);
    expect(story.lines).toEqual(['2.9 s suspect n2 process', '4.0 s cleared n2']);
  });

  test('a loop blocks: suspect after 1 s, killed at the hang limit', () => {
    const story = new Story().pass(31_000, { blocked: [n3] });
    expect(story.lines).toEqual(['1.1 s suspect n3 loop', '30.1 s kill n3 loop']);
  });

  test('a loop blocks and the hang limit is 0: suspect for ever, never killed', () => {
    expect(new Story([n1, n2], 0).pass(120_000, { blocked: [n2] }).lines).toEqual(['1.1 s suspect n2 loop']);
  });

  test('a process was stopped for long: its loop is not held to have been blocked meanwhile', () => {
    const story = new Story([n1, n2], 5_000);
    story.enter(viewOf(2, [n1])); // Somebody left: n1 may hold the only copy, so it is not killed at once.
    story
      .pass(20_000, { stopped: [n1] })
      .pass(4_000, { blocked: [n1] })
      .pass(1_000);
    expect(story.lines.filter((line) => line.includes('kill'))).toEqual([]);
  });

  test('the clocks count from ready: a process that was started long ago and never beat is not late', () => {
    const story = new Story([n1, n2]).pass(60_000);
    story.machine.step({ kind: 'ready', node: n3, incarnation: 4, weight: 1 }, story.nowMs);
    story.pass(900);
    expect(story.lines).toEqual([]);
    story.pass(200);
    expect(story.lines).toEqual(['61.0 s suspect n3 process']);
  });

  test('a beat of a former incarnation: says nothing about the present one', () => {
    const story = new Story([n1, n2]);
    story.pass(1_500, { stopped: [n2] });
    const beat = { kind: 'beat', node: n2, incarnation: 7, turns: 1, inspected: false } as const;
    expect(story.machine.step(beat, story.nowMs)).toEqual([]);
    expect(story.machine.suspects(story.nowMs).map(({ node }) => node)).toEqual([n2]);
  });

  test('a blocked loop in a process that then stops: the reason changes, the process decides', () => {
    const story = new Story().pass(2_000, { blocked: [n1] }).pass(4_000, { stopped: [n1] });
    expect(story.lines).toEqual(['1.1 s suspect n1 loop', '3.0 s suspect n1 process', '5.0 s kill n1 process']);
  });
});

describe('health: the guards', () => {
  test('a node was drained, or scaled away: it is not waited for, and whoever stops later is killed as ever', () => {
    const story = new Story()
      .pass(1_000)
      .leaves(n4)
      .pass(10_000)
      .pass(5_000, { stopped: [n2] });
    expect(story.lines).toEqual(['12.0 s suspect n2 process', '14.0 s kill n2 process']);
  });

  test('inspector: a loop stands at a breakpoint for an hour: not killed, and told once', () => {
    const story = new Story().pass(3_600_000, { blocked: [n2], inspected: [n2] });
    expect(story.lines).toEqual(['1.1 s suspect n2 loop', '30.1 s spared n2 loop inspector']);
  });

  test('inspector: closed while the loop is still blocked: killed', () => {
    const story = new Story().pass(40_000, { blocked: [n2], inspected: [n2] }).pass(200, { blocked: [n2] });
    expect(story.lines.at(-1)).toBe('40.1 s kill n2 loop');
  });

  test('machine: everyone is silent at once and wakes one after the other: nobody is killed', () => {
    const all = [n1, n2, n3, n4];
    const story = new Story().pass(10_000, { stopped: all });
    story
      .pass(300, { stopped: [n2, n3, n4] })
      .pass(300, { stopped: [n3, n4] })
      .pass(2_900, { stopped: [n4] });
    story.pass(5_000);
    expect(story.lines.filter((line) => line.includes('kill'))).toEqual([]);
    expect(story.lines.filter((line) => line.includes('cleared'))).toHaveLength(4);
    expect(story.machine.suspects(story.nowMs)).toEqual([]);
  });

  test('machine: two fall silent, one comes back: the other has its full time from then on', () => {
    const story = new Story().pass(8_000, { stopped: [n1, n2] }).pass(10_000, { stopped: [n2] });
    expect(story.lines).toEqual([
      '1.0 s suspect n1 process',
      '1.0 s suspect n2 process',
      '3.0 s spared n1 process machine',
      '3.0 s spared n2 process machine',
      '8.1 s cleared n1',
      '11.0 s kill n2 process',
    ]);
  });

  test('machine: a second one falls silent just before the first would be killed: nobody is', () => {
    const story = new Story().pass(1_900, { stopped: [n1] }).pass(5_000, { stopped: [n1, n2] });
    expect(story.lines.filter((line) => line.includes('kill'))).toEqual([]);
  });

  test('machine: the supervisor was stopped for 40 s: every silence counts anew, nobody is even suspect', () => {
    const story = new Story().pass(1_000).oversleep(40_000).pass(10_000);
    expect(story.lines).toEqual([]);
  });

  test('machine: the supervisor was late while one was silent: suspect all the time, killed 3 s after', () => {
    const story = new Story()
      .pass(2_500, { stopped: [n1] })
      .oversleep(400)
      .pass(5_000, { stopped: [n1] });
    expect(story.lines).toEqual(['1.0 s suspect n1 process', '5.9 s kill n1 process']);
  });

  test('machine: late by no more than a busy turn: what was heard counts', () => {
    const story = new Story()
      .pass(2_500, { stopped: [n1] })
      .oversleep(250)
      .pass(5_000, { stopped: [n1] });
    expect(story.lines.at(-1)).toBe('3.0 s kill n1 process');
  });

  test('another: two loops hang: one is killed, the other only when that death is proven', () => {
    const story = new Story().pass(32_000, { blocked: [n1, n2] });
    expect(story.lines.slice(-2)).toEqual(['30.1 s kill n1 loop', '30.1 s spared n2 loop another']);
    story.dies(n1).pass(200, { blocked: [n2] });
    expect(story.lines.at(-1)).toBe('32.1 s kill n2 loop');
  });

  test('another: a loop hangs beside a silent process that custody spares: it lives until that one is dead', () => {
    const story = new Story([n1, n2, n3, n4], 4_000).dies(n4, true);
    story.done(n2);
    story.pass(31_000, { stopped: [n1], blocked: [n2] });
    expect(story.lines.slice(-3)).toEqual([
      '3.0 s spared n1 process custody',
      '4.1 s spared n2 loop another',
      '30.0 s kill n1 process',
    ]);
    story.dies(n1).pass(200, { blocked: [n2] });
    expect(story.lines.at(-1)).toBe('31.1 s kill n2 loop');
  });

  test('last: nobody else is in the ring: never killed, stopped or blocked', () => {
    const story = new Story([n1]).pass(120_000, { stopped: [n1] }).pass(120_000, { blocked: [n1] });
    expect(story.lines).toEqual([
      '1.0 s suspect n1 process',
      '3.0 s spared n1 process last',
      '120.1 s cleared n1',
      '121.1 s suspect n1 loop',
      '150.1 s spared n1 loop last',
    ]);
  });

  test('custody: a neighbour died and the copies are still being made: not before 30 s', () => {
    const story = new Story().dies(n4, true).pass(31_000, { stopped: [n1] });
    expect(story.lines).toEqual([
      '1.0 s suspect n1 process',
      '3.0 s spared n1 process custody',
      '30.0 s kill n1 process',
    ]);
  });

  test('custody: one side is done and the other is not: still the only custodian', () => {
    const story = new Story().dies(n4, true);
    const view = viewOf(2, [n1, n2, n3]);
    story.machine.step({ kind: 'done', node: n1, incarnation: 1, side: 'app', view }, 0);
    expect(story.pass(5_000, { stopped: [n1] }).lines.at(-1)).toBe('3.0 s spared n1 process custody');
  });

  test('custody: the copies were made before it stopped: killed after 3 s', () => {
    const story = new Story().dies(n4).pass(4_000, { stopped: [n1] });
    expect(story.lines.at(-1)).toBe('3.0 s kill n1 process');
  });

  test('custody: a report of an older view: says nothing about what that death left alone', () => {
    const story = new Story().dies(n4, true);
    const old = viewOf(1, [n1, n2, n3, n4]);
    for (const side of ['app', 'keeper'] as const) {
      story.machine.step({ kind: 'done', node: n1, incarnation: 1, side, view: old }, 0);
    }
    expect(story.pass(5_000, { stopped: [n1] }).lines.at(-1)).toBe('3.0 s spared n1 process custody');
  });

  test('custody: stopped during a join, having been done before: nothing it holds is alone', () => {
    const ring = [n1, n2, n3];
    const story = new Story(ring);
    const joiner = { id: n4, incarnation: 1, weight: 1 };
    const { members } = viewOf(1, ring);
    story.enter(viewOf(2, ring, { next: [n1, n2, n3, n4], members: { ...members, [n4]: joiner } }));
    expect(story.pass(4_000, { stopped: [n1] }).lines.at(-1)).toBe('3.0 s kill n1 process');
  });

  test('custody: a joiner stops: it holds nothing that the ring has not', () => {
    const ring = [n1, n2, n3];
    const story = new Story(ring);
    story.machine.step({ kind: 'ready', node: n4, incarnation: 2, weight: 1 }, 0);
    const joiner = { id: n4, incarnation: 2, weight: 1 };
    const { members } = viewOf(1, ring);
    story.enter(viewOf(2, ring, { next: [n1, n2, n3, n4], members: { ...members, [n4]: joiner } }));
    story.pass(4_000);
    expect(story.lines.at(-1)).toBe('3.0 s kill n4 process');
  });

  test('custody: one copy of each session: everyone is an only custodian', () => {
    const story = new Story([n1, n2], 5_000, { copies: 1 }).pass(31_000, { blocked: [n2] });
    expect(story.lines).toEqual(['1.1 s suspect n2 loop', '5.1 s spared n2 loop custody', '30.1 s kill n2 loop']);
  });
});
