import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { idBytes, parseHeader, sessionFileFormat } from './session-file.ts';
import { type ReadOutcome, readSessionFile } from './session-file-reader.ts';
import { type SavedEntry, writeSessionFile } from './session-file-writer.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'limpet-session-file-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const view = { term: 7, number: 12 };
const idOf = (at: number): string => String(at).padStart(idBytes, 'A');
const entriesOf = (values: readonly unknown[]): readonly SavedEntry[] =>
  values.map((value, at) => ({ id: idOf(at), value, isOwn: true }));
const inTime = (): number => performance.now() + 60_000;

async function write(entries: Iterable<SavedEntry>, name = 'n1.1.app.sessions') {
  const path = join(folder, name);
  const outcome = await writeSessionFile({ path, keyId: 9, view, entries, untilMs: inTime() });
  return { path, outcome };
}

async function read(path: string): Promise<ReadOutcome & { readonly values: readonly [string, unknown][] }> {
  const values: [string, unknown][] = [];
  const outcome = await readSessionFile(path, (id, decode) => {
    values.push([id, decode()]);
    return null;
  });
  return { ...outcome, values };
}

async function readBytes(bytes: Uint8Array, name = 'changed'): ReturnType<typeof read> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return read(path);
}

describe('session file', () => {
  test('any values: what was written is read, with every fact of the header', async () => {
    const value = fc.oneof(
      fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.uint8Array({ maxLength: 2_000 }))),
      fc.array(fc.oneof(fc.date({ noInvalidDate: true }), fc.bigInt(), fc.boolean(), fc.constant(null))),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 40 }), async (values) => {
        const { path, outcome } = await write(entriesOf(values));
        const { size } = statSync(path);
        expect(outcome).toMatchObject({ records: values.length, unsaved: 0, why: null, bytes: size });
        const found = await read(path);
        expect(found.why).toBe(null);
        expect(found.header).toMatchObject({ keyId: 9, view, records: values.length, sessions: values.length });
        expect(found.values.map(([id]) => id)).toEqual(values.map((_, at) => idOf(at)));
        // A Buffer and a Uint8Array of the same bytes differ to `toEqual`; their encoding does not.
        expect(found.values.map(([, one]) => one)).toEqual(structuredClone(values));
      }),
      { numRuns: 60 },
    );
  });

  test('larger than the buffers on both sides: read whole', async () => {
    const values = [new Uint8Array(3_000_000).fill(1), ...Array.from({ length: 3_000 }, (_, at) => 'x'.repeat(at))];
    const { path } = await write(entriesOf(values));
    const found = await read(path);
    expect([found.why, found.values.length]).toEqual([null, values.length]);
    expect(isDeepStrictEqual(found.values[0]?.[1], values[0])).toBe(true);
    expect(found.values.at(-1)?.[1]).toBe(values.at(-1));
  });

  test('only the owner can read it, and no draft is left', async () => {
    const { path } = await write(entriesOf(['secret']), 'n2.1.app.sessions');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  test('every single byte flipped: noticed, and the good records are read', async () => {
    const values = ['one', { two: 2 }, new Uint8Array([3])];
    const { path } = await write(entriesOf(values));
    const sound = readFileSync(path);
    let fewest = values.length;
    for (let at = 0; at < sound.length; at += 1) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = Buffer.from(sound);
        bytes[at] = (bytes[at] ?? 0) ^ flip;
        const found = await readBytes(bytes);
        expect(found.why, `byte ${at}`).not.toBe(null);
        for (const [id, value] of found.values) expect(value).toEqual(values[Number(id.replace(/^A+/, ''))]);
        if (found.header !== null) expect(found.values.length + found.lost).toBe(values.length);
        if (at > 64) fewest = Math.min(fewest, found.values.length);
      }
    }
    // A damaged length of the first record hides the others; anything else costs one record.
    expect(fewest).toBe(0);
    const body = Buffer.from(sound);
    const inFirstBody = 64 + 12 + idBytes;
    body[inFirstBody] = (body[inFirstBody] ?? 0) ^ 1;
    const found = await readBytes(body);
    expect(found.values.map(([, value]) => value)).toEqual(values.slice(1));
    expect(found).toMatchObject({ lost: 1, why: expect.stringContaining('record 1 of 3') });
  });

  test('cut at every length: noticed, and the whole records before the cut are read', async () => {
    const values = ['one', { two: 2 }, new Uint8Array([3])];
    const { path } = await write(entriesOf(values));
    const sound = readFileSync(path);
    const counts = new Set<number>();
    for (let length = 0; length < sound.length; length += 1) {
      const found = await readBytes(sound.subarray(0, length));
      expect(found.why, `${length} bytes`).not.toBe(null);
      expect(found.values.map(([, value]) => value)).toEqual(values.slice(0, found.values.length));
      counts.add(found.values.length);
    }
    expect([...counts].sort()).toEqual([0, 1, 2]);
    expect((await readBytes(Buffer.concat([sound, Buffer.from('more')]))).why).toMatch(/were written/);
  });

  test('a format that is not known: refused, not called damaged', async () => {
    const { path } = await write(entriesOf(['one']));
    const bytes = readFileSync(path);
    bytes.writeUInt16BE(7, 8);
    const why = `it has format 7, and this version of Limpet reads format ${sessionFileFormat}`;
    expect(parseHeader(bytes)).toEqual({ kind: 'unknown', why });
    expect(await readBytes(bytes)).toMatchObject({ header: null, values: [], why });
  });

  test('the disk is full: nothing is left under the name, and all that was to be saved is counted', async () => {
    const path = join(folder, 'n3.1.app.sessions');
    symlinkSync('/dev/full', `${path}.part`);
    const entries = entriesOf(Array.from({ length: 500 }, () => 'x'.repeat(2_000)));
    const outcome = await writeSessionFile({ path, keyId: 1, view, entries, untilMs: inTime() });
    expect(outcome).toMatchObject({ records: 0, sessions: 0, unsaved: 500, why: expect.stringContaining('ENOSPC') });
    expect(readdirSync(folder).filter((name) => name.startsWith('n3'))).toEqual([]);
  });

  test('the folder is gone: said, all counted', async () => {
    const path = join(folder, 'gone', 'n1.1.app.sessions');
    const outcome = await writeSessionFile({ path, keyId: 1, view, entries: entriesOf([1, 2]), untilMs: inTime() });
    expect(outcome).toMatchObject({ sessions: 0, unsaved: 2, why: expect.stringContaining('ENOENT') });
  });

  test('the time is over: what was written is a sound file, the rest is counted', async () => {
    const path = join(folder, 'n4.1.app.sessions');
    const untilMs = performance.now() + 100;
    function* slow(): Generator<SavedEntry> {
      for (const entry of entriesOf(Array.from({ length: 900 }, (_, at) => ({ at, fill: 'x'.repeat(1_000) })))) {
        yield entry;
        while (entry.id === idOf(499) && performance.now() <= untilMs);
      }
    }
    const outcome = await writeSessionFile({ path, keyId: 1, view, entries: slow(), untilMs });
    expect(outcome.sessions + outcome.unsaved).toBe(900);
    expect(outcome.why).toBe('the time for it was over');
    const found = await read(path);
    expect([found.why, found.values.length]).toEqual([null, outcome.sessions]);
    expect(outcome.sessions).toBeGreaterThan(0);
  });
});
