import pino from 'pino';

/** The balancer's own log: warnings only, into its output file. Never a cookie, an id or a request's bytes. */
export type Log = Pick<pino.Logger, 'warn' | 'error'>;

/** Control characters that JSON leaves as they are: DEL, and C1, of which \x9b begins a command of a terminal. */
const controls = /[\x7f-\x9f\u2028\u2029]/g;
const escapeControl = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A log on standard output, written at once so that nothing is lost at an exit. No line holds a control character. */
export const createLog = (name: string, fd = 1): Log =>
  pino(
    { name, level: 'warn', hooks: { streamWrite: (line) => line.replace(controls, escapeControl) } },
    pino.destination({ fd, sync: true }),
  );
