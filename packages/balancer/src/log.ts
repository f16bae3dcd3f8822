import pino from 'pino';

/** The balancer's own log: warnings only, into its output file. Never a cookie, an id or a request's bytes. */
export type Log = Pick<pino.Logger, 'warn' | 'error'>;

/** A log on standard output, written at once so that nothing is lost at an exit. */
export const createLog = (name: string): Log => pino({ name, level: 'warn' }, pino.destination({ fd: 1, sync: true }));
