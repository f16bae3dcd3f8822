import { randomBytes } from 'node:crypto';

/** How a drill tells the cluster it starts where its operations are to stand. */
export const doorVariable = 'LIMPET_DRILL_DOOR';

const pattern = /^limpet-drill-[0-9a-f]{32}$/;

/** A first path segment that nobody can guess: whoever knows it can end workers. */
export const drawDoor = (): string => `limpet-drill-${randomBytes(16).toString('hex')}`;

/** Reads the variable and removes it, so that neither the app nor what it starts finds it. Null: this is no drill. */
export function takeDoor(environment: NodeJS.ProcessEnv): string | null {
  const text = environment[doorVariable];
  delete environment[doorVariable];
  return text !== undefined && pattern.test(text) ? text : null;
}
