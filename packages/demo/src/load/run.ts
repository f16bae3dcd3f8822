import autocannon from 'autocannon';
import { driveConnection } from './connection.ts';
import { Latency } from './latency.ts';
import type { LoadOptions } from './options.ts';
import { newTally, type Tally } from './tally.ts';
import { Visitor } from './visitor.ts';

/** autocannon's wait for one answer; above the 10 s that Limpet itself may add. */
const answerWaitSeconds = 15;
/** With nobody listening autocannon reconnects at once: this ends such a run. */
const errorsMax = 2_000;
/** How long the last look at all sessions may take. */
const checkMs = 30_000;

export interface LoadResult {
  readonly url: string;
  readonly sessions: number;
  readonly connections: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly tally: Readonly<Tally>;
}

/**
 * Loads the counter of the app at `url` over many sessions, then looks once at each. Ends by itself: after `duration`
 * seconds or `requests` requests, plus at most half a minute for the last look. `onStop` is given a function that ends it early.
 */
export async function runLoad(
  options: LoadOptions,
  url: string,
  onStop: (stop: () => void) => void = () => {},
): Promise<LoadResult> {
  const tally = newTally();
  const latency = new Latency();
  const visitors = Array.from({ length: options.sessions }, () => new Visitor(tally));
  const connections = Math.min(options.connections, options.sessions);
  const drivers: ReturnType<typeof driveConnection>[] = [];

  const startedAt = performance.now();
  await new Promise<void>((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        connections,
        pipelining: 1,
        duration: options.duration,
        timeout: answerWaitSeconds,
        maxOverallRequests: Math.max(options.requests, connections),
        bailout: errorsMax,
        sampleInt: 250,
        setupClient: (client) => {
          const first = drivers.length;
          const own = visitors.filter((_, index) => index % connections === first);
          drivers.push(driveConnection(client, own, latency));
        },
      },
      (error) => (error ? reject(error) : resolve()),
    );
    onStop(() => instance.stop());
  });
  const seconds = (performance.now() - startedAt) / 1000;
  for (const driver of drivers) driver.finish();
  const answered = tally.requests - tally.errors;

  await lookAtAll(visitors, connections, url, tally);
  return {
    url,
    sessions: options.sessions,
    connections,
    seconds,
    requestsPerSecond: answered / seconds,
    latencyMs: { p50: latency.quantile(0.5), p99: latency.quantile(0.99) },
    tally,
  };
}

/** One look at each session after the run: what was acknowledged to its last request must still be there. */
async function lookAtAll(visitors: readonly Visitor[], width: number, url: string, tally: Tally): Promise<void> {
  const until = AbortSignal.timeout(checkMs);
  const waiting = visitors.filter((visitor) => visitor.wasAsked);
  const takeTurns = async (): Promise<void> => {
    for (let visitor = waiting.pop(); visitor; visitor = waiting.pop()) {
      if (visitor.isKnown && (await look(visitor, url, until))) tally.checked += 1;
      else tally.unchecked += 1;
    }
  };
  await Promise.all(Array.from({ length: width }, takeTurns));
}

const triesMax = 5;
const pauseMs = 200;

async function look(visitor: Visitor, url: string, until: AbortSignal): Promise<boolean> {
  for (let tries = 0; tries < triesMax && !until.aborted; tries += 1) {
    visitor.askLast();
    try {
      const response = await fetch(new URL('/api/counter', url), {
        headers: { accept: 'application/json', cookie: visitor.cookie ?? '' },
        signal: until,
      });
      const answer = {
        status: response.status,
        body: await response.text(),
        outcome: response.headers.get('limpet-outcome'),
      };
      if (visitor.answered(answer, response.headers.getSetCookie())) return true;
    } catch {
      // A look changes nothing: it is simply tried again.
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return false;
}
