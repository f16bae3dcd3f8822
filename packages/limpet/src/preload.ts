/**
 * Makes a worker of the process it is imported into (`--import`), when the supervisor started that process.
 * Here so that a command installed elsewhere can start workers with the app's own copy of the whole.
 */
import { preloadEntry } from '@limpet/worker';

await import(preloadEntry.href);
