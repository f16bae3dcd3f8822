/**
 * What one session with a counter was told, and whether that can be true. Pure: fed by the load command, by the loads of the
 * tests, and by recorded histories. One request of a session is under way at a time. The failure drill knows every order in
 * which its requests can have happened; this knows a least and a most, whatever a session goes through and however long.
 */

export type Effect = 'add' | 'read';

/** How one request of the session ended. */
export type Happening =
  | {
      readonly kind: 'answered';
      readonly effect: Effect;
      readonly marker: string | null;
      readonly counter: number;
      readonly node: string | null;
    }
  /** It may have run or not. */
  | { readonly kind: 'uncertain'; readonly effect: Effect }
  /** It ran, its answer is lost. */
  | { readonly kind: 'ran'; readonly effect: Effect }
  /** Certain that nothing ran. */
  | { readonly kind: 'refused' };

export type Finding =
  | { readonly kind: 'moved'; readonly from: string; readonly to: string }
  /** Acknowledged additions that are not there any more; `session`: the whole session is another one. */
  | { readonly kind: 'lost'; readonly adds: number; readonly session: boolean }
  /** Additions that nobody asked for. */
  | { readonly kind: 'doubled'; readonly adds: number };

export interface History {
  /** Of the session that answered last; null before the first answer. */
  readonly marker: string | null;
  /** The counter is at least this: seen or acknowledged. */
  readonly least: number;
  /**
   * The counter is at most this: every addition that was acknowledged or may have run. It never shrinks, as an addition
   * without an answer may still arrive after later ones: no false alarm, at the price that a doubled addition can hide
   * behind one that never ran.
   */
  readonly most: number;
  readonly node: string | null;
}

export interface Step {
  readonly history: History;
  readonly findings: readonly Finding[];
}

export const emptyHistory: History = { marker: null, least: 0, most: 0, node: null };

/** The history after `happening`, and what is wrong or worth counting in it. */
export function stepHistory(history: History, happening: Happening): Step {
  switch (happening.kind) {
    case 'refused':
      return { history, findings: [] };
    case 'uncertain':
      return { history: happening.effect === 'add' ? { ...history, most: history.most + 1 } : history, findings: [] };
    case 'ran': {
      const { least, most } = history;
      const after = happening.effect === 'add' ? { ...history, least: least + 1, most: most + 1 } : history;
      return { history: after, findings: [] };
    }
    case 'answered':
      return stepAnswered(history, happening);
  }
}

function stepAnswered(history: History, answer: Extract<Happening, { readonly kind: 'answered' }>): Step {
  const { marker, counter, node } = answer;
  const moved: readonly Finding[] =
    history.node !== null && node !== null && node !== history.node
      ? [{ kind: 'moved', from: history.node, to: node }]
      : [];
  if (history.marker !== null && marker !== history.marker) {
    const lost: Finding = { kind: 'lost', adds: history.least, session: true };
    return { history: { marker, least: counter, most: counter, node }, findings: [...moved, lost] };
  }
  const added = answer.effect === 'add' ? 1 : 0;
  const least = history.least + added;
  const most = history.most + added;
  const wrong = judge(counter, least, most);
  // After a fault the count starts from what is there, so that one fault is reported once.
  const next = wrong.length > 0 ? { least: counter, most: counter } : { least: counter, most };
  return { history: { marker, node, ...next }, findings: [...moved, ...wrong] };
}

function judge(counter: number, least: number, most: number): readonly Finding[] {
  if (counter < least) return [{ kind: 'lost', adds: least - counter, session: false }];
  if (counter > most) return [{ kind: 'doubled', adds: counter - most }];
  return [];
}
