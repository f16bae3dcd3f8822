/**
 * Imported in front of the app (`--import`). Forked children inherit the flag, and worker threads the environment: both
 * would take the node's socket if they went on. The supervisor's own mark is in the environment of one process only, and
 * gone before the app's first line.
 */
import { isMainThread } from 'node:worker_threads';
import { takeRun } from './run.ts';

const run = isMainThread ? takeRun(process.env) : null;
// Loaded only here: a forked child of the app pays for this file alone.
if (run !== null) await (await import('./start.ts')).startWorker(run);
