import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from './create-app.ts';
import { ledgerDelayMs, openLedger } from './ledger.ts';

let url = '';
let close: () => Promise<unknown> = async () => {};

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'limpet-app-'));
  const server = createApp(openLedger(folder)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  };
});
afterAll(() => close());

/** A browser with a cookie jar that does not follow redirects. */
function browser() {
  const jar = new Map<string, string>();
  const ask = async (method: string, path: string, body?: object, headers: Record<string, string> = {}) => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const form = !path.startsWith('/api/');
    const response = await fetch(url + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(cookie ? { cookie } : {}),
        ...(body && !form ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body ? { body: form ? new URLSearchParams(body as Record<string, string>) : JSON.stringify(body) } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split('=');
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const json = async (method: string, path: string, body?: object, headers?: Record<string, string>) => {
    const answer = await ask(method, path, body, headers);
    return { status: answer.status, data: JSON.parse(answer.text) as Record<string, unknown> };
  };
  return { jar, ask, json };
}

test('demo: start page without a cookie: no session is made', async () => {
  const { ask } = browser();
  for (const path of ['/', '/api/counter', '/api/me', '/overview', '/style.css', '/nowhere'])
    expect((await ask('GET', path)).headers.getSetCookie()).toEqual([]);
  expect((await ask('GET', '/')).status).toBe(200);
});

test('demo: sign in, look, transfer, repeat, sign out: cold once, warm after, money moves once', async () => {
  const { ask, json, jar } = browser();
  expect(await ask('POST', '/sign-in', { account: 'harbour' })).toMatchObject({ status: 303 });
  expect(jar.size).toBe(1);

  const cold = await json('GET', '/api/overview');
  expect(cold.data).toMatchObject({ account: 'harbour', warm: false, source: 'ledger', moved: null });
  expect(cold.data.ms).toBeGreaterThan(ledgerDelayMs - 2);
  const warm = await json('GET', '/api/overview');
  expect(warm.data).toMatchObject({ warm: true, source: 'session', overview: cold.data.overview });
  expect(warm.data.ms).toBeLessThan(ledgerDelayMs);

  const { balanceCents } = (await json('GET', '/api/balance')).data;
  const wish = { payee: 'Harbour Bakery', amount: '12.50' };
  const first = await json('POST', '/api/transfer', wish, { 'idempotency-key': 'key-1' });
  expect(first.data).toMatchObject({ repeated: false, balanceCents: Number(balanceCents) - 1_250 });
  const again = await json('POST', '/api/transfer', wish, { 'idempotency-key': 'key-1' });
  expect(again.data).toMatchObject({
    repeated: true,
    transfer: first.data.transfer,
    balanceCents: Number(balanceCents) - 1_250,
  });
  expect((await json('POST', '/api/transfer', wish)).status).toBe(400);
  expect((await json('GET', '/api/transactions')).data).toMatchObject({ transfers: [{ cents: 1_250 }] });

  expect(await ask('POST', '/sign-out')).toMatchObject({ status: 303 });
  expect((await json('GET', '/api/me')).status).toBe(401);
});

test('demo: two overviews at once before the first: both right', async () => {
  const { ask, json } = browser();
  await ask('POST', '/sign-in', { account: 'pier' });
  const [one, two] = await Promise.all([json('GET', '/api/overview'), json('GET', '/api/overview')]);
  expect(one.data.overview).toEqual(two.data.overview);
});

test('demo: pages of an account: each says where its answer came from', async () => {
  const { ask } = browser();
  await ask('POST', '/sign-in', { account: '<b>pier & co</b>' });
  expect((await ask('GET', '/overview')).text).toMatch(/cold: \d+ ms, from the ledger/);
  for (const path of ['/overview', '/balance', '/transactions', '/transfer', '/preferences']) {
    const page = await ask('GET', path);
    expect(page.text).toMatch(/warm: [\d.]+ ms, from the session/);
    expect(page.text).toContain('answered by');
    expect(page.text).toContain('&lt;b&gt;pier &amp; co&lt;/b&gt;');
    expect(page.text).not.toContain('<b>pier');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  }
});

test('demo: the transfer form sent twice: one transfer', async () => {
  const { ask, json } = browser();
  await ask('POST', '/sign-in', { account: 'harbour' });
  const key = /name="key" value="([^"]+)"/.exec((await ask('GET', '/transfer')).text)?.[1] ?? '';
  const form = { key, payee: 'Coast Tram', amount: '2' };
  const [one, two] = [await ask('POST', '/transfer', form), await ask('POST', '/transfer', form)];
  expect(one.status).toBe(303);
  expect(two.headers.get('location')).toBe(one.headers.get('location'));
  expect((await ask('GET', one.headers.get('location') ?? '')).text).toContain('2.00 sent to Coast Tram.');
  expect((await json('GET', '/api/transactions')).data.transfers).toHaveLength(1);
  const poor = await ask('POST', '/transfer', { key: 'other', payee: 'Coast Tram', amount: '1000000' });
  expect(poor.status).toBe(409);
  expect(poor.text).toContain('the balance is smaller than that');
});

test('demo: preferences: kept, unknown values ignored', async () => {
  const { ask, json } = browser();
  await ask('POST', '/sign-in', { account: 'harbour' });
  await ask('POST', '/preferences', { theme: 'dark', amounts: 'comma', rows: '7' });
  expect((await json('GET', '/api/preferences')).data.preferences).toEqual({
    theme: 'dark',
    amounts: 'comma',
    rows: 20,
  });
  expect((await ask('GET', '/preferences')).text).toContain('data-theme="dark"');
});

test('demo: signing in: another session id than before', async () => {
  const { ask, jar } = browser();
  await ask('POST', '/api/counter');
  const before = [...jar.values()];
  await ask('POST', '/sign-in', { account: 'harbour' });
  expect([...jar.values()]).not.toEqual(before);
});

test('demo: a form on a page of another origin: refused', async () => {
  const { ask } = browser();
  const from = (headers: Record<string, string>) => ask('POST', '/sign-in', { account: 'harbour' }, headers);
  expect((await from({ origin: 'https://elsewhere.example' })).status).toBe(403);
  expect((await from({ origin: 'null' })).status).toBe(403);
  expect((await from({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await from({ origin: url })).status).toBe(303);
});

test('demo: the counter: counts in its session, a garbled body is no crash', async () => {
  const { ask, json } = browser();
  expect((await json('GET', '/api/counter')).data).toMatchObject({ marker: null, counter: 0 });
  const one = await json('POST', '/api/counter');
  const two = await json('POST', '/api/counter');
  expect(two.data).toEqual({ ...one.data, counter: 2 });
  expect((await json('GET', '/api/counter')).data).toEqual(two.data);
  const garbled = await fetch(`${url}/api/counter`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{',
  });
  expect(garbled.status).toBe(400);
  expect((await ask('POST', '/sign-in', { account: '' })).status).toBe(400);
});
