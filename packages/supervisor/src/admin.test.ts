import { request } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { type Admin, isOwnHost, openAdmin, urlOf } from './admin.ts';
import type { Status } from './status.ts';

const status: Status = {
  ...{ view: { term: 1, number: 7 }, url: 'http://127.0.0.1:8080', admin: { url: 'http://127.0.0.1:9090' } },
  supervisor: { pid: 1, uptimeMs: 5 },
  balancers: [{ id: 'b1', pid: 2, incarnation: 1, health: 'alive' }],
  nodes: [
    {
      ...{ id: 'n1', pid: null, incarnation: 5, health: 'dead', mode: 'ready', version: 'v1', starts: 5, ports: [] },
      ...{
        sessions: { primary: 0, buddy: 0 },
        unprotected: 0,
        inFlight: 0,
        bytes: 0,
        givenUp: true,
        leaving: false,
        paused: false,
      },
      reason: 'Error: <script>alert(1)</script>',
    },
  ],
  ...{
    ring: [],
    next: null,
    settled: true,
    unprotected: 0,
    lost: 0,
    lostIsExact: true,
    unheld: 0,
    store: 'buddy',
    copies: 2,
    lastDeaths: [],
  },
  ...{ restarts: [], moving: null },
  ...{ appFile: '/srv/<app>.js', runDir: '/srv/.limpet' },
};

const admins: Admin[] = [];
afterEach(async () => {
  for (const admin of admins.splice(0)) await admin.close();
});

async function ask(path: string, options: { method?: string; host?: string } = {}) {
  const admin = await openAdmin('127.0.0.1', 0, () => status);
  admins.push(admin);
  const headers = options.host === undefined ? {} : { host: options.host };
  return new Promise<{ code: number; policy: string; body: string }>((resolve, reject) => {
    request(`${admin.url}${path}`, { method: options.method ?? 'GET', headers, agent: false }, (res) => {
      let body = '';
      res.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      const policy = String(res.headers['content-security-policy'] ?? '');
      res.on('end', () => resolve({ code: res.statusCode ?? 0, policy, body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('admin port', () => {
  test('GET /api/status: the status as JSON', async () => {
    const { code, body } = await ask('/api/status?x=1');
    expect([code, JSON.parse(body)]).toEqual([200, status]);
  });

  test('GET /: a page that escapes what the app said and loads nothing', async () => {
    const { code, policy, body } = await ask('/');
    expect(code).toBe(200);
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(body).toContain('Error: &lt;script&gt;alert(1)&lt;/script&gt;');
    expect(body).toContain('/srv/&lt;app&gt;.js');
    expect(body).not.toMatch(/(?:src|href)="(?!http:\/\/127\.0\.0\.1:8080")/);
  });

  test('other methods 405, other paths 404, foreign names 403', async () => {
    const codes = [
      await ask('/', { method: 'POST' }),
      await ask('/api/status', { method: 'DELETE' }),
      await ask('/etc/passwd'),
      await ask('/api/status', { host: 'evil.example' }),
      await ask('/', { host: 'localhost:9090' }),
    ].map(({ code }) => code);
    expect(codes).toEqual([405, 405, 404, 403, 200]);
  });

  test('host check: addresses, loopback names and the configured name only', () => {
    const own = ['127.0.0.1', '127.0.0.1:9090', '[::1]:9090', 'localhost', 'LOCALHOST:1', 'a.localhost:1', 'box:9090'];
    const foreign = [undefined, '', 'evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '[x]:1', 'a:b'];
    expect(own.map((host) => isOwnHost(host, 'box'))).toEqual(own.map(() => true));
    expect(foreign.map((host) => isOwnHost(host, 'box'))).toEqual(foreign.map(() => false));
  });

  test('url: one that can be visited', () => {
    expect(['0.0.0.0', '::', '::1', 'box'].map((host) => urlOf(host, 80))).toEqual([
      'http://127.0.0.1:80',
      'http://[::1]:80',
      'http://[::1]:80',
      'http://box:80',
    ]);
  });
});
