import { appendFileSync } from 'node:fs';

/**
 * Writes what ends this process into `path`, and changes nothing else: Node prints it too and exits with 1, and the
 * workers and balancers go on with the last view. Gives what takes it away again.
 */
export function keepCrashLog(path: string): () => void {
  const write = (error: unknown, origin: string) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    try {
      appendFileSync(path, `${new Date().toISOString()} ${origin}: ${text}\n`, { mode: 0o600 });
    } catch {
      // The disk may be what is wrong; the error itself goes to the terminal all the same.
    }
  };
  process.on('uncaughtExceptionMonitor', write);
  return () => process.off('uncaughtExceptionMonitor', write);
}
