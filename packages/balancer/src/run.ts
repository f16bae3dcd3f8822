/** What a balancer, or the holder of its port, is told about itself in `LIMPET_RUN`. */
export interface Run {
  readonly role: 'balancer' | 'holder';
  readonly name: string;
  readonly incarnation: number;
  readonly sockets: string;
}

/** Reads `LIMPET_RUN`; null when it is absent or not one of theirs. */
export function parseRun(text: string | undefined): Run | null {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (typeof value !== 'object' || value === null) return null;
    const { role, name, incarnation, sockets } = value as { readonly [key: string]: unknown };
    if ((role !== 'balancer' && role !== 'holder') || typeof name !== 'string' || typeof sockets !== 'string')
      return null;
    return typeof incarnation === 'number' ? { role, name, incarnation, sockets } : null;
  } catch {
    return null;
  }
}
