import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { formatReport } from './report.ts';
import { runLoad } from './run.ts';
import { isWhole } from './tally.ts';

type Session = { readonly marker: string | null; counter: number };

/** A counter without Limpet, whose `trouble` may spoil the n-th addition of all. */
async function counterServer(
  trouble: (nth: number, session: Session, req: IncomingMessage, res: ServerResponse) => boolean = () => false,
): Promise<string> {
  const sessions = new Map<string, Session>();
  let additions = 0;
  const server = createServer((req, res) => {
    const known = /s=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
    const id = known ?? `s${sessions.size}`;
    const isLook = req.method !== 'POST';
    const session = sessions.get(id) ?? { marker: isLook ? null : `marker of ${id}`, counter: 0 };
    if (!isLook) {
      sessions.set(id, session);
      session.counter += 1;
      additions += 1;
      if (known === undefined) res.setHeader('set-cookie', `s=${id}; Path=/`);
      if (trouble(additions, session, req, res)) return;
    }
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ ...session, node: 'n1' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const options = { sessions: 7, connections: 3, duration: 10, requests: 300, url: null, runDir: '.limpet', json: false };

test('load: a faithful counter: nothing lost, nothing doubled', async () => {
  const result = await runLoad(options, await counterServer());
  expect(result.tally).toMatchObject({
    errors: 0,
    non2xx: 0,
    uncertain: 0,
    lost: 0,
    doubled: 0,
    unchecked: 0,
    moved: 0,
  });
  expect(result.tally.requests).toBeGreaterThanOrEqual(300);
  expect(result.tally.checked).toBe(7);
  expect(result.latencyMs.p50).toBeGreaterThan(0);
  expect(formatReport(result)).toContain('every session holds what was acknowledged');
});

test('load: an addition forgotten: lost', async () => {
  const result = await runLoad(
    options,
    await counterServer((nth, session) => {
      if (nth === 100) session.counter -= 2;
      return false;
    }),
  );
  expect(result.tally).toMatchObject({ lost: 2, lostSessions: 0, doubled: 0 });
  expect(formatReport(result)).toContain('NOT every session');
});

test('load: an addition made twice: doubled', async () => {
  const result = await runLoad(
    options,
    await counterServer((nth, session) => {
      if (nth === 100) session.counter += 1;
      return false;
    }),
  );
  expect(result.tally).toMatchObject({ lost: 0, doubled: 1 });
});

test('load: connections cut before, within and after the answer: unknown, not lost', async () => {
  const result = await runLoad(
    options,
    await counterServer((nth, session, req, res) => {
      if (nth === 50) {
        session.counter -= 1;
        req.socket.destroy();
      } else if (nth === 100) req.socket.resetAndDestroy();
      else if (nth === 150) req.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"marker":');
      else if (nth === 200) res.writeHead(502, { 'limpet-outcome': 'unknown' }).end('unknown');
      else return false;
      return true;
    }),
  );
  expect(result.tally).toMatchObject({ errors: 3, uncertain: 4, non2xx: 1, lost: 0, doubled: 0, unchecked: 0 });
});

test('load: no addition ever answered: not whole, as nothing could be checked', async () => {
  const result = await runLoad(
    options,
    await counterServer((_nth, _session, _req, res) => {
      res.removeHeader('set-cookie');
      res.writeHead(502).end();
      return true;
    }),
  );
  expect(result.tally).toMatchObject({ lost: 0, doubled: 0, checked: 0, unchecked: 7 });
  expect(isWhole(result.tally)).toBe(false);
  expect(formatReport(result)).toContain('NOT every session could be checked');
});

test('load: every addition made but answered by 500: no false alarm', async () => {
  const result = await runLoad(
    options,
    await counterServer((_nth, _session, _req, res) => {
      res.writeHead(500).end();
      return true;
    }),
  );
  expect(result.tally).toMatchObject({ lost: 0, doubled: 0, checked: 7, unchecked: 0 });
});

test('load: the app goes away: errors, and an end', async () => {
  const result = await runLoad(
    { ...options, requests: 5_000_000, duration: 1 },
    await counterServer((nth, _session, req) => {
      if (nth === 50) {
        const { server } = req.socket as unknown as { server: { close(): void; closeAllConnections(): void } };
        server.close();
        server.closeAllConnections();
      }
      return nth >= 50;
    }),
  );
  expect(result.tally.errors).toBeGreaterThan(0);
  expect(result.tally).toMatchObject({ lost: 0, doubled: 0, unchecked: 7 });
}, 15_000);
