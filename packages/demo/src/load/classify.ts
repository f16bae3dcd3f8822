import type { Effect, Happening } from './history.ts';

/** A response as both clients of the load command see it. Header names in lower case. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly outcome: string | null;
}

/** What an answer to a request for the counter says about the session. */
export function classifyAnswer(effect: Effect, answer: Answer): Happening {
  if (answer.status >= 200 && answer.status < 300) return readCounter(effect, answer.body);
  if (answer.outcome === 'not-executed') return { kind: 'refused' };
  if (answer.outcome === 'executed') return { kind: 'ran', effect };
  if (answer.outcome !== null || answer.status >= 500) return { kind: 'uncertain', effect };
  return { kind: 'refused' };
}

function readCounter(effect: Effect, body: string): Happening {
  const read = parse(body);
  if (typeof read !== 'object' || read === null) return { kind: 'uncertain', effect };
  const { marker, counter, node } = read as Record<string, unknown>;
  if (typeof counter !== 'number' || (typeof marker !== 'string' && marker !== null))
    return { kind: 'uncertain', effect };
  return { kind: 'answered', effect, marker, counter, node: typeof node === 'string' ? node : null };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
