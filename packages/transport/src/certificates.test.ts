import { copyFileSync, mkdtempSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Certificates, stampOf } from './certificates.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url));
const pair = (name: string) => ({ cert: fixture(`${name}.cert.pem`), key: fixture(`${name}.key.pem`) });

test('certificates: a name in none of them, and an address: no context of its own', () => {
  const certificates = new Certificates([pair('one'), pair('two')]);
  expect(certificates.contextFor('two.example')).toBeDefined();
  expect(certificates.contextFor('a.two.example')).not.toBe(certificates.contextFor('one.example'));
  for (const name of [
    'three.example',
    'a.b.two.example',
    '127.0.0.1',
    'fe80::1%1',
    'one.example\0',
    'ö.example',
    '',
    '__proto__',
  ])
    expect(certificates.contextFor(name), name).toBeUndefined();
});

test.each([
  [{ cert: fixture('one.cert.pem'), key: fixture('two.key.pem') }, /two\.key\.pem is refused: it is no key in PEM for/],
  [{ cert: fixture('one.key.pem'), key: fixture('one.key.pem') }, /one\.key\.pem is refused: it is no certificate/],
  [{ cert: fixture('none.pem'), key: fixture('one.key.pem') }, /none\.pem is refused: it does not exist/],
  [{ cert: fixture(''), key: fixture('one.key.pem') }, /tls\/ is refused: it cannot be read/],
])('certificates: files that cannot be used: refused with the file and the reason', (files, message) => {
  expect(() => new Certificates([files])).toThrow(message);
});

test('certificates: a file is written anew, replaced or removed: seen', () => {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-test-'));
  const files = { cert: join(folder, 'cert'), key: join(folder, 'key') };
  const seen = new Set([stampOf([files])]);
  copyFileSync(fixture('one.cert.pem'), files.cert);
  seen.add(stampOf([files]));
  utimesSync(files.cert, 1, 1);
  seen.add(stampOf([files]));
  rmSync(files.cert);
  copyFileSync(fixture('one.key.pem'), files.key);
  seen.add(stampOf([files]));
  // One that cannot be looked at: nothing that may end a balancer.
  symlinkSync(files.cert, files.cert);
  expect(stampOf([files])).toBe(stampOf([{ ...files, cert: join(files.key, 'x') }]));
  rmSync(files.cert);
  expect(seen.size).toBe(4);
  expect(stampOf([files])).toBe(stampOf([files]));
  rmSync(folder, { recursive: true });
});
