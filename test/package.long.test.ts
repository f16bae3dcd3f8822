import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Client } from './support/client.ts';
import { startCluster, temporaryFolder } from './support/cluster.ts';
import { runCommand } from './support/command.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

const body = `
const app = express();
app.use(session());
app.get('/', (req, res) => { req.session.n = (req.session.n ?? 0) + 1; res.json({ n: req.session.n, node: process.env.LIMPET_NODE }); });
app.listen(process.env.PORT);
`;

const forms: readonly (readonly [string, string])[] = [
  ['app.mjs', `import express from 'express';\nimport { session } from 'limpet';${body}`],
  ['app.cjs', `const express = require('express');\nconst { session } = require('limpet');${body}`],
];

test('package: npm run pack, then an empty folder: installed, started by npx, survives a kill', async () => {
  const base = temporaryFolder();
  const packed = await runCommand('npm', ['run', '--silent', 'pack', '--', '--out', base], {
    folder: root,
    timeoutMs: 120_000,
  });
  expect(packed.stderr + packed.stdout).not.toContain('npm error');
  expect(packed.code).toBe(0);
  const inBase = readdirSync(base).filter((name) => name.endsWith('.tgz'));
  const inRoot = readdirSync(root).filter((name) => /^limpet-\d.*\.tgz$/.test(name));
  const tarball = inBase[0] ? join(base, inBase[0]) : join(root, inRoot[0] ?? 'no tarball');
  const folder = join(base, 'empty');
  mkdirSync(folder);
  const install = ['install', '--no-fund', '--no-audit', tarball, 'express'];
  const installed = await runCommand('npm', install, { folder, timeoutMs: 180_000 });
  expect([installed.code, installed.stderr]).toEqual([0, expect.not.stringContaining('npm error')]);

  for (const [name, text] of forms) {
    writeFileSync(join(folder, name), text);
    const cluster = await startCluster({
      app: name,
      folder,
      through: ([, , ...args]) => ['npx', 'limpet', ...args],
    });
    const client = new Client(cluster.url);
    const first = (await client.get('/')).json<{ n: number; node: string }>();
    await cluster.kill(first.node);
    const second = (await client.get('/')).json<{ n: number; node: string }>();
    expect(second.n).toBe(2);
    expect(second.node).not.toBe(first.node);
    await cluster.settled();
    client.close();
    // Not by a signal: npx passes none on.
    const stop = await runCommand('npx', ['limpet', 'stop'], { folder });
    expect(stop.code).toBe(0);
    expect(await cluster.ended()).toBe(0);
  }
}, 400_000);
