import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** An app as a user writes it: its own attributes declared, Express and node:http, two mistakes that must be found. */
const app = `
import { createServer } from 'node:http';
import express from 'express';
import { type Session, session } from 'limpet';

declare module 'limpet' {
  interface SessionData {
    cart: string[];
    user: { name: string };
  }
}

const app = express();
app.use(session({ rolling: true, cookie: { maxAge: 1000, sameSite: 'lax' } }));
app.get('/', (req, res) => {
  req.session.cart ??= [];
  req.session.cart.push('limpet');
  const name: string | undefined = req.session.user?.name;
  req.session.regenerate((error) => {
    if (error) throw error;
    res.json({ name, id: req.sessionID, maxAge: req.session.cookie.maxAge });
  });
});
createServer((req, res) => {
  session()(req, res, async () => {
    const own: Session = req.session;
    await own.save();
    // @ts-expect-error not declared
    own.card = 1;
    // @ts-expect-error of another type
    own.cart = 1;
    own.touch().save(() => res.end());
  });
});
`;

const root = fileURLToPath(new URL('../../../', import.meta.url));
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

test('types: an app that declares its attributes: compiles, with Express and with node:http', async () => {
  // Inside node_modules, so that `limpet` and `express` resolve as they do for an app.
  const cache = join(root, 'node_modules', '.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'limpet-types-'));
  try {
    const file = join(folder, 'app.ts');
    await writeFile(file, app);
    const strict = ['--strict', '--module', 'nodenext', '--target', 'es2023', '--types', 'node', '--skipLibCheck'];
    const args = [compiler, '--ignoreConfig', '--noEmit', ...strict, file];
    const compiled = await promisify(execFile)(process.execPath, args, { cwd: root }).catch((error: unknown) => error);
    expect((compiled as { stdout: string }).stdout).toBe('');
  } finally {
    await rm(folder, { recursive: true });
  }
});
