import { fetchOnce } from './client.ts';

export interface SteadyLoad {
  /** Requests answered so far. */
  readonly answered: number;
  /** Requests sent and not answered yet. */
  readonly open: number;
  /** Ends it and waits for the last answers; what failed, in words. */
  end(): Promise<readonly string[]>;
}

const isRefused = (error: unknown): boolean => Object(error).code === 'ECONNREFUSED';

/**
 * So many requests per second, each on a connection of its own, whether or not earlier ones are answered. A refused
 * connection ends the load instead of counting as a failure: there is nobody left to ask.
 */
export function startSteadyLoad(url: string | URL, perSecond: number): SteadyLoad {
  const failures: string[] = [];
  const open = new Set<Promise<void>>();
  let answered = 0;
  const timer = setInterval(() => {
    const exchange = fetchOnce(url, { headers: { connection: 'close' }, timeoutMs: 12_000 }).then(
      (answer) => {
        answered += 1;
        if (answer.status !== 200) failures.push(`${answer.status} ${answer.outcome}`);
      },
      (error: unknown) => {
        if (isRefused(error)) clearInterval(timer);
        else failures.push(String(error));
      },
    );
    open.add(exchange);
    exchange.finally(() => open.delete(exchange));
  }, 1000 / perSecond);
  return {
    get answered() {
      return answered;
    },
    get open() {
      return open.size;
    },
    async end() {
      clearInterval(timer);
      await Promise.all(open);
      return failures;
    },
  };
}
