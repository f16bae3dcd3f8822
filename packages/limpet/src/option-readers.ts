import { BlockList, isIP, isIPv6 } from 'node:net';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { parseReplayable, replayableMax } from '@limpet/core';

/** Turns what was written (text from flags and environment, any JSON value from a file) into a value, or undefined when it is not allowed. */
export interface Reader<T> {
  /** Stands for the value in help: `<n>`. */
  readonly placeholder: string;
  readonly unit: string | null;
  /** What is allowed, for help and problems: "a whole number from 1 to 3". */
  readonly allowed: string;
  /** May be given several times; the values are then read together, joined by commas. */
  readonly repeatable: boolean;
  /** `folder`: what relative paths are relative to. */
  read(written: unknown, folder: string): T | undefined;
  /** What is wrong with each part of a value that was not allowed, where that says more than `allowed`. */
  explain?(written: unknown): readonly string[];
}

const single = { unit: null, repeatable: false } as const;

function readWhole(written: unknown, min: number, max: number): number | undefined {
  const number = typeof written === 'string' && /^\d{1,15}$/.test(written.trim()) ? Number(written) : written;
  return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max ? number : undefined;
}

export const whole = (min: number, max: number): Reader<number> => ({
  ...single,
  placeholder: '<n>',
  allowed: `a whole number from ${min} to ${max}`,
  read: (written) => readWhole(written, min, max),
});

export const wholeOrAuto = (min: number, max: number): Reader<number> => ({
  ...single,
  placeholder: '<n|auto>',
  allowed: `a whole number from ${min} to ${max}, or auto (as many as the machine runs at once)`,
  read: (written) => (written === 'auto' ? Math.min(max, availableParallelism()) : readWhole(written, min, max)),
});

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, '': 1 };

/** Milliseconds of `500ms`, `10s`, `30m`, `12h`; a bare number counts milliseconds. */
export const duration = (minMs: number, maxMs: number): Reader<number> => ({
  ...single,
  placeholder: '<time>',
  unit: 'ms, s, m or h; a bare number is ms',
  allowed: `a time from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 500ms, 10s, 30m or 12h`,
  read(written) {
    const match = /^(\d{1,12}(?:\.\d{1,3})?)\s?(ms|s|m|h|)$/.exec(String(written).trim());
    const ms = Math.round(Number(match?.[1]) * (unitMs[match?.[2] ?? ''] ?? 1));
    return match !== null && ms >= minMs && ms <= maxMs ? ms : undefined;
  },
});

/** A duration, or 0 for never. */
export function durationOrNever(minMs: number, maxMs: number): Reader<number> {
  const some = duration(minMs, maxMs);
  const never = duration(0, 0);
  return {
    ...some,
    allowed: `0 for never, or ${some.allowed}`,
    read: (written, folder) => never.read(written, folder) ?? some.read(written, folder),
  };
}

export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    const size = unitMs[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

export const choice = <T extends string>(...of: readonly T[]): Reader<T> => ({
  ...single,
  placeholder: `<${of.join('|')}>`,
  allowed: of.join(' or '),
  read: (written) => of.find((one) => one === written),
});

export const text = (placeholder: string, allowed: string, pattern: RegExp): Reader<string> => ({
  ...single,
  placeholder,
  allowed,
  read: (written) => (typeof written === 'string' && pattern.test(written) ? written : undefined),
});

export const path = (placeholder: string): Reader<string> => ({
  ...single,
  placeholder,
  allowed: 'a path',
  // A NUL would cut the path short in the kernel.
  read: (written, folder) =>
    typeof written === 'string' && written !== '' && !written.includes('\0') ? resolve(folder, written) : undefined,
});

function partsOf(written: unknown): readonly unknown[] | undefined {
  const parts: unknown = typeof written === 'string' ? written.split(',').map((part) => part.trim()) : written;
  return Array.isArray(parts) ? parts : undefined;
}

/** Several values: a JSON array, or text with commas. `readOne` refuses by undefined. */
function list<T>(
  placeholder: string,
  allowed: string,
  readOne: (one: string, folder: string) => T | undefined,
): Reader<readonly T[]> {
  return {
    unit: null,
    placeholder,
    allowed,
    repeatable: true,
    read(written, folder) {
      const parts = partsOf(written);
      if (parts === undefined) return undefined;
      const values: T[] = [];
      for (const part of parts) {
        if (part === '') continue;
        const value = typeof part === 'string' ? readOne(part, folder) : undefined;
        if (value === undefined) return undefined;
        values.push(value);
      }
      return values;
    },
  };
}

export const paths: Reader<readonly string[]> = list('<file>', 'one or more paths', (one, folder) =>
  one.includes('\0') ? undefined : resolve(folder, one),
);

export const networks: Reader<readonly string[]> = list(
  '<network>',
  'addresses or networks such as 10.0.0.0/8, ::1 or loopback, with commas between them',
  (one) => (one === 'loopback' || isNetwork(one) ? one : undefined),
);

const allRoutes: Reader<readonly string[]> = list(
  '<route>',
  `at most ${replayableMax} routes such as "POST /cart/*": a method, one blank and a path, with commas between them`,
  (one) => (typeof parseReplayable(one) === 'string' ? undefined : one),
);

/** Routes in the spelling of core/replayable.ts. */
export const routes: Reader<readonly string[]> = {
  ...allRoutes,
  read(written, folder) {
    const values = allRoutes.read(written, folder);
    return values !== undefined && values.length <= replayableMax ? values : undefined;
  },
  explain: (written) =>
    (partsOf(written) ?? [])
      .filter((part) => part !== '')
      .map((part) => (typeof part === 'string' ? parseReplayable(part) : `${JSON.stringify(part)} is no text`))
      .filter((route) => typeof route === 'string'),
};

/** Whether `text` is an IP address or an address with a prefix length. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  if (isIP(address) === 0 || more.length > 0) return false;
  if (prefix === undefined) return true;
  if (!/^\d{1,3}$/.test(prefix)) return false;
  try {
    new BlockList().addSubnet(address, Number(prefix), isIPv6(address) ? 'ipv6' : 'ipv4');
    return true;
  } catch {
    return false;
  }
}

/** Words as a shell would split them: blanks separate, quotes keep together. A JSON array is taken as it is. */
export const words: Reader<readonly string[]> = {
  ...single,
  placeholder: '"<args>"',
  allowed: 'arguments with blanks between them, quotes in pairs',
  read(written) {
    if (Array.isArray(written)) return written.every((one) => typeof one === 'string') ? written : undefined;
    return typeof written === 'string' ? splitWords(written) : undefined;
  },
};

/** Undefined when a quote is not closed. */
export function splitWords(line: string): readonly string[] | undefined {
  const found = line.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  const parts = found.map((word) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, double, simple) => double ?? simple ?? ''),
  );
  const left = line.replace(/"[^"]*"|'[^']*'/g, '');
  return /["']/.test(left) ? undefined : parts;
}
