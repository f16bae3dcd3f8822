import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LimpetError } from '@limpet/core';
import express from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import { runtimeSymbol } from './context.ts';
import { session } from './middleware.ts';
import type { SessionOptions } from './options.ts';
import type { Loose } from './request-harness.test-suite.ts';
import { contract, version } from './version.ts';

type Handler = (req: IncomingMessage & { session: Loose }, res: ServerResponse) => unknown;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function listen(server: Server): Promise<Client> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const serve = (handler: Handler, options?: SessionOptions): Promise<Client> => {
  const withSession = session(options);
  return listen(
    createServer((req, res) => {
      withSession(req, res, (error) => {
        try {
          if (error) throw error;
          handler(req as Parameters<Handler>[0], res);
        } catch (failure) {
          res.statusCode = 500;
          res.end(failure instanceof LimpetError ? failure.code : String(failure));
        }
      });
    }),
  );
};

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly cookies: readonly string[];
  readonly headers: Headers;
}

/** A browser with one cookie. */
class Client {
  readonly #base: string;
  cookie = '';

  constructor(base: string) {
    this.#base = base;
  }

  async get(path = '/', headers: Record<string, string> = {}, signal: AbortSignal | null = null): Promise<Answer> {
    const sent = this.cookie === '' ? headers : { cookie: this.cookie, ...headers };
    const response = await fetch(this.#base + path, { headers: sent, redirect: 'manual', signal });
    const cookies = response.headers.getSetCookie();
    for (const line of cookies) {
      const pair = line.split(';')[0] ?? '';
      if (pair.startsWith('JSESSIONID=')) this.cookie = pair.endsWith('=') ? '' : pair;
    }
    return { status: response.status, text: await response.text(), cookies, headers: response.headers };
  }
}

const count: Handler = (req, res) => {
  req.session['n'] = ((req.session['n'] as number | undefined) ?? 0) + 1;
  res.end(String(req.session['n']));
};

describe('middleware: cookie', () => {
  test('cookie: a new session: HttpOnly, SameSite=Lax, Path=/, not Secure without TLS, given once', async () => {
    const client = await serve(count);
    const first = await client.get();
    expect(first.cookies).toHaveLength(1);
    expect(first.cookies[0]).toMatch(/^JSESSIONID=[\w-]{40}; Path=\/; HttpOnly; SameSite=Lax$/);
    const second = await client.get();
    expect([second.text, second.cookies]).toEqual(['2', []]);
  });

  test('cookie: TLS at the balancer: Secure', async () => {
    const client = await serve(count);
    expect((await client.get('/', { 'x-forwarded-proto': 'https' })).cookies[0]).toMatch(/; Secure/);
  });

  test('cookie: options: name, path, domain, maxAge in milliseconds, sameSite, secure', async () => {
    const cookie = { path: '/app', domain: 'limpet.test', maxAge: 90_000, sameSite: 'none', secure: true } as const;
    const client = await serve(count, { name: 'sid', cookie });
    const line = (await client.get()).cookies[0] ?? '';
    expect(line).toMatch(
      /^sid=[\w-]{40}; Max-Age=90; Domain=limpet.test; Path=\/app; Expires=.*; HttpOnly; Secure; SameSite=None$/,
    );
  });

  test('cookie: rolling: given with every response of a session, not without one', async () => {
    const client = await serve((req, res) => (req.url === '/' ? count(req, res) : res.end()), { rolling: true });
    expect((await client.get('/none')).cookies).toEqual([]);
    await client.get();
    expect((await client.get('/none')).cookies).toHaveLength(1);
  });

  test('cookie: changed by the app: given again', async () => {
    const client = await serve((req, res) => {
      if (req.url === '/remember') req.session.cookie.maxAge = 60_000;
      count(req, res);
    });
    await client.get();
    expect((await client.get('/remember')).cookies[0]).toContain('Max-Age=60;');
  });

  test('cookie: reading, or a session left empty: none', async () => {
    const client = await serve((req, res) =>
      res.end(`${req.session['n']} ${Object.keys(req.session).length} ${req.sessionID.length}`),
    );
    const answer = await client.get();
    expect([answer.text, answer.cookies]).toEqual(['undefined 0 40', []]);
  });

  test.each(['JSESSIONID=forged', `JSESSIONID=${'A'.repeat(40)}`, 'JSESSIONID=; JSESSIONID=%', 'JSESSIONID="x"'])(
    'cookie: %s: treated as none',
    async (cookie) => {
      const client = await serve(count);
      const answer = await client.get('/', { cookie });
      expect([answer.text, answer.cookies.length]).toEqual(['1', 1]);
    },
  );

  test('cookie: a forged one in front of the genuine one: the genuine one counts', async () => {
    const client = await serve(count);
    await client.get();
    expect((await client.get('/', { cookie: `JSESSIONID=forged; ${client.cookie}` })).text).toBe('2');
  });

  test('header: configured: carries the id both ways', async () => {
    const client = await serve(count, { header: 'X-Session' });
    const id = (await client.get()).headers.get('x-session') ?? '';
    client.cookie = '';
    expect((await client.get('/', { 'x-session': id })).text).toBe('2');
  });

  const heads: readonly (readonly [string, (res: ServerResponse) => void, readonly string[]])[] = [
    ['setHeader', (res) => res.setHeader('Set-Cookie', ['a=1', 'b=2']), ['a=1', 'b=2']],
    ['writeHead with an object', (res) => res.writeHead(200, { 'set-cookie': 'a=1', 'X-A': 'y' }), ['a=1']],
    ['writeHead with a reason and an object', (res) => res.writeHead(200, 'Fine', { 'Set-Cookie': ['a=1'] }), ['a=1']],
    [
      'writeHead with a flat list',
      (res) => res.writeHead(200, ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-A', 'y']),
      ['a=1', 'b=2'],
    ],
    [
      'writeHead with a list of pairs',
      (res) =>
        res.writeHead(200, [
          ['Set-Cookie', 'a=1'],
          ['X-A', 'y'],
        ] as never),
      ['a=1'],
    ],
    [
      'setHeader, then writeHead with a list without cookies',
      (res) => {
        res.setHeader('set-cookie', 'a=1');
        res.writeHead(200, ['X-A', 'y']);
      },
      ['a=1'],
    ],
    [
      'setHeader, then writeHead with an object without cookies',
      (res) => {
        res.setHeader('set-cookie', 'a=1');
        res.writeHead(200, { 'X-A': 'y' });
      },
      ['a=1'],
    ],
    ['flushHeaders', (res) => res.flushHeaders(), []],
    ['write', (res) => res.write('x'), []],
  ];
  test.each(heads)('head: %s: the cookies of the app stay', async (_, writeHead, expected) => {
    const client = await serve((req, res) => {
      req.session['a'] = 1;
      writeHead(res);
      res.end();
    });
    const answer = await client.get();
    expect([answer.status, ...answer.cookies.slice(0, -1)]).toEqual([200, ...expected]);
    expect(answer.cookies.at(-1)).toMatch(/^JSESSIONID=/);
  });
});

describe('middleware: node:http alone', () => {
  const app: Handler = async (req, res) => {
    const { session } = req;
    switch (req.url) {
      case '/push':
        session['list'] ??= [];
        (session['list'] as number[]).push(1);
        return res.end(JSON.stringify(session));
      case '/regenerate':
        return session.regenerate(() => {
          req.session['user'] = 'user one';
          req.session.save(() => res.end(JSON.stringify(req.session)));
        });
      case '/renew':
        await session.renew();
        return res.end(JSON.stringify(session));
      case '/destroy':
        await session.destroy();
        return res.end(String(req.session));
      case '/reload':
        session['list'] = [];
        return session.reload(() => res.end(JSON.stringify(session.touch())));
      case '/late':
        res.write('x');
        (session['list'] as number[]).push(9);
        return res.end();
      case '/bad':
        (session['list'] as unknown[]).push(() => 1);
        return res.end('done');
      default:
        return res.end(JSON.stringify(session));
    }
  };

  test('alone: create, read, modify in place, reload, after the head, renew, regenerate, destroy', async () => {
    const client = await serve(app);
    expect((await client.get('/push')).text).toBe('{"list":[1]}');
    expect((await client.get('/push')).text).toBe('{"list":[1,1]}');
    expect((await client.get('/reload')).text).toBe('{"list":[1,1]}');
    expect((await client.get('/late')).text).toBe('x');
    expect((await client.get('/')).text).toBe('{"list":[1,1,9]}');
    const before = client.cookie;
    expect((await client.get('/renew')).text).toBe('{"list":[1,1,9]}');
    expect(client.cookie).not.toBe(before);
    expect((await client.get('/', { cookie: before })).text).toBe('{}');
    const renewed = client.cookie;
    expect((await client.get('/regenerate')).text).toBe('{"user":"user one"}');
    expect((await client.get('/', { cookie: renewed })).text).toBe('{}');
    expect((await client.get('/')).text).toBe('{"user":"user one"}');
    const destroyed = await client.get('/destroy');
    expect([destroyed.text, client.cookie]).toEqual(['undefined', '']);
    expect(destroyed.cookies[0]).toMatch(/^JSESSIONID=; Max-Age=0; Path=\//);
  });

  test('alone: made uncopyable in place: the app gets the error while it can still answer', async () => {
    const client = await serve((req, res) => {
      if (req.url !== '/bad') return void app(req, res);
      (req.session['list'] as unknown[]).push(() => 1);
      return res.end('done');
    });
    await client.get('/push');
    expect(await client.get('/bad')).toMatchObject({ status: 500, text: 'LIMPET_NOT_COPYABLE' });
    expect((await client.get('/')).text).toBe('{"list":[1]}');
  });

  test('alone: log-out, then an older request finishes: 409 and still logged out', async () => {
    let release = (): void => {};
    let started = (): void => {};
    const hasStarted = new Promise<void>((resolve) => {
      started = resolve;
    });
    const client = await serve((req, res) => {
      if (req.url !== '/slow') return void app(req, res);
      req.session['list'] = ['slow'];
      release = () => res.end('done');
      return started();
    });
    await client.get('/push');
    const old = client.cookie;
    const slow = client.get('/slow', { cookie: old });
    await hasStarted;
    await client.get('/destroy');
    release();
    const answer = await slow;
    expect([answer.status, answer.headers.get('limpet-outcome'), answer.cookies]).toEqual([409, 'gone', []]);
    expect((await client.get('/', { cookie: old })).text).toBe('{}');
  });

  test('alone: 100 parallel additions: exactly 100', async () => {
    const client = await serve(count);
    await client.get();
    await Promise.all(Array.from({ length: 100 }, () => client.get()));
    expect((await client.get()).text).toBe('102');
  });

  test('alone: the client goes away while the handler works: what it still changes is committed', async () => {
    let finish = (): void => {};
    let begun = (): void => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const client = await serve((req, res) => {
      if (req.url !== '/slow') return void count(req, res);
      res.once('close', () => {
        setImmediate(() => {
          req.session['n'] = 50;
          res.end('nobody reads this');
          finish();
        });
      });
      return begun();
    });
    await client.get();
    const isDone = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const abort = new AbortController();
    const slow = client.get('/slow', {}, abort.signal).catch(() => {});
    await hasBegun;
    abort.abort();
    await Promise.all([slow, isDone]);
    expect((await client.get()).text).toBe('51');
  });

  test('alone: mounted twice: as once', async () => {
    const again = session();
    const client = await serve((req, res) => again(req, res, () => count(req, res)));
    expect((await client.get()).cookies).toHaveLength(1);
    expect((await client.get()).text).toBe('2');
  });

  test('alone: next: called in the same step', () => {
    let isCalled = false;
    const req = { headers: {}, socket: {} } as IncomingMessage;
    const res = { writeHead() {}, end() {}, once() {} } as unknown as ServerResponse;
    session()(req, res, () => {
      isCalled = true;
    });
    expect(isCalled).toBe(true);
  });
});

describe('middleware: express', () => {
  test('express 5: json, redirect, thrown error: what was changed is committed', async () => {
    const app = express();
    app.use(session());
    app.get('/json', (req, res) => void res.json({ n: Object.assign(req.session, { n: 1 }) }));
    app.get('/redirect', (req, res) => {
      Object.assign(req.session, { n: 2 });
      res.redirect('/');
    });
    app.get('/throw', (req) => {
      Object.assign(req.session, { n: 3 });
      throw new Error('on purpose');
    });
    app.use(((_error, _req, res, _next) => void res.status(500).end('sorry')) as express.ErrorRequestHandler);
    const client = await listen(createServer(app));
    expect((await client.get('/json')).text).toBe('{"n":{"n":1}}');
    expect((await client.get('/redirect')).status).toBe(302);
    expect((await client.get('/json')).cookies).toEqual([]);
    expect((await client.get('/throw')).text).toBe('sorry');
  });
});

describe('middleware: options and runtime', () => {
  const problems = (options: object): string => {
    try {
      session(options);
    } catch (error) {
      if (error instanceof LimpetError) return error.message;
    }
    return 'accepted';
  };

  test('options: every problem at once, with a suggestion', () => {
    expect(problems({ nam: 'x', secret: 's', cookie: { maxage: 1, secure: 'yes' }, rolling: 1 })).toBe(
      "session(): nam: no such option, did you mean name?; secret: leave it out: the keys belong to the cluster (limpet start --secret-file); rolling: wants true or false; cookie.maxage: no such option, did you mean maxAge?; cookie.secure: wants true, false or 'auto'",
    );
    expect(problems({ cookie: { sameSite: 'none', secure: false } })).toContain('needs cookie.secure');
    expect(problems({ name: 'sid', header: null, cookie: { maxAge: 5, secure: 'auto' } })).toBe('accepted');
  });

  test('runtime: of another version or contract: both are named', () => {
    const holder = globalThis as { [runtimeSymbol]?: unknown };
    try {
      holder[runtimeSymbol] = { contract, version: '9.9.9', path: '/other/limpet' };
      expect(problems({})).toMatch(/9\.9\.9 \(\/other\/limpet\) and 0\.1\.0 \(.*version/);
      holder[runtimeSymbol] = { contract: 2, version, path: '/other/limpet' };
      expect(problems({})).toContain('/other/limpet');
    } finally {
      delete holder[runtimeSymbol];
    }
  });
});
