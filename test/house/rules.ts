import { readSource } from './source-text.ts';
import { isCode, type SourceFile } from './tree.ts';

/** One broken house rule, as a person should read it. */
export interface Breach {
  readonly rule: 'length' | 'name' | 'console' | 'only-skip' | 'machine-path' | 'registry';
  readonly file: string;
  readonly what: string;
}

/** A file that grows past this wants a second name. */
const linesMax = 400;

const forbiddenNames = /(?:^|\/)(?:utils?|helpers?|common|misc|shared)\.[cm]?[jt]s$/;
// Programs, and what tests start as programs; never a library.
const mayPrint =
  /^(?:packages\/(?:limpet|demo)\/|packages\/[^/]+\/(?:fixtures|testing)\/|scripts\/|test\/(?:fixtures|apps)\/)/;
const onlyOrSkip = /\b(?:describe|suite|test|it|bench)(?:\s*\.\s*\w+)*\s*\.\s*(?:only|skip|todo)\b/;

// Put together from pieces, else this file would break its own rule.
const machinePaths = ['tmp', 'root', 'home', 'work', 'Users'].map((name) => new RegExp(`(?:^|[\\s"'\`(=:])/${name}/`));

const isMedia = (path: string): boolean => /\.(?:png|jpe?g|gif|ico|svg|woff2?|webm|mp4)$/.test(path);

function breachesInCode({ path, text }: SourceFile): readonly Breach[] {
  const breaches: Breach[] = [];
  const { code } = readSource(text);
  const lines = text.split('\n').length - 1;
  if (lines > linesMax) breaches.push({ rule: 'length', file: path, what: `${lines} lines, more than ${linesMax}` });
  if (/\bconsole\s*\./.test(code) && !mayPrint.test(path)) {
    breaches.push({ rule: 'console', file: path, what: 'prints with console: only limpet, demo, scripts may' });
  }
  const focused = onlyOrSkip.exec(code);
  if (focused) breaches.push({ rule: 'only-skip', file: path, what: `leaves tests out: ${focused[0]}` });
  return breaches;
}

function breachesInLock({ path, text }: SourceFile): readonly Breach[] {
  const packages: { [name: string]: { readonly resolved?: string } } = JSON.parse(text).packages ?? {};
  return Object.entries(packages)
    .filter(([, { resolved }]) => resolved && /^[a-z+]+:/i.test(resolved))
    .map(([name, { resolved }]) => ({ rule: 'registry', file: path, what: `${name} comes from ${resolved}` }));
}

/** Every broken house rule in `files`. */
export function findBreaches(files: readonly SourceFile[]): readonly Breach[] {
  return files.flatMap((file) => {
    const breaches: Breach[] = [];
    if (forbiddenNames.test(file.path)) {
      breaches.push({ rule: 'name', file: file.path, what: 'a name that says nothing: name what it does' });
    }
    if (isCode(file.path)) breaches.push(...breachesInCode(file));
    if (/(?:^|\/)package-lock\.json$/.test(file.path)) return [...breaches, ...breachesInLock(file)];
    const found = isMedia(file.path) ? undefined : machinePaths.find((pattern) => pattern.test(file.text));
    if (found)
      breaches.push({ rule: 'machine-path', file: file.path, what: `holds ${found.exec(file.text)?.[0].trim()}` });
    return breaches;
  });
}
