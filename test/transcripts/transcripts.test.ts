import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { checkedBy, run } from './commands.ts';
import { type Block, formatScript, parseScript } from './script.ts';
import { Story } from './story.ts';

const folder = new URL('./', import.meta.url);
const isWriting = process.env['LIMPET_TRANSCRIPTS'] === 'write';
const scripts = readdirSync(folder).filter((name) => name.endsWith('.txt'));

beforeEach(() => {
  vi.useFakeTimers({
    now: 1_000_000_000_000,
    toFake: [
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'setImmediate',
      'clearImmediate',
      'performance',
      'Date',
    ],
  });
  // A request without a session goes to the first of the ring.
  vi.spyOn(Math, 'random').mockReturnValue(0);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** The script again, with what its commands lead to now. */
async function play(text: string): Promise<string> {
  const story = new Story({
    nowMs: () => performance.timeOrigin + performance.now(),
    advance: async (ms) => void (await vi.advanceTimersByTimeAsync(ms)),
  });
  const played: Block[] = [];
  const checked = new Set<string>();
  try {
    for (const block of parseScript(text)) {
      const output: string[] = [];
      for (const line of block.commands) {
        const lines = await run(story, line).catch((error: unknown) => {
          throw new Error(`${line}: ${error instanceof Error ? error.message : String(error)}\n${output.join('\n')}`, {
            cause: error,
          });
        });
        output.push(...lines);
        const name = checkedBy(line);
        if (name === null) checked.clear();
        else checked.add(name);
      }
      const isSilent = block.commands.length > 0 && output.length === 0;
      played.push({ ...block, output: isSilent ? ['nothing follows'] : output });
    }
    // A story that ends before its sessions were checked has shown nothing.
    expect(story.unchecked(checked)).toEqual([]);
  } finally {
    story.end();
  }
  return formatScript(played);
}

test.each(scripts)('transcript: %s: happens again as it is written', async (name) => {
  const file = new URL(name, folder);
  const text = readFileSync(file, 'utf8');
  const played = await play(text);
  if (isWriting) writeFileSync(file, played);
  else expect(played).toBe(text);
});

test('transcript: a command that nobody understands: fails', async () => {
  await expect(play('cluster n1 n2\nburn n1\n----\n')).rejects.toThrow('unknown command: burn n1');
});

test('transcript: a session that was not checked at the end: fails', async () => {
  await expect(play('cluster n1 n2\nsession s1 on n1: count = 0\nkill n2\n----\n')).rejects.toThrow('s1');
});
