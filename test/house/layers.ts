import { posix } from 'node:path';
import { importsOf, readSource } from './source-text.ts';
import { isCode, isTest, type SourceFile } from './tree.ts';

/** What each package may import of the others. Balancer and worker meet only in core. */
export const layers: { readonly [name: string]: readonly string[] } = {
  core: [],
  transport: ['core'],
  session: ['core'],
  balancer: ['core', 'transport'],
  worker: ['core', 'transport', 'session'],
  supervisor: ['core', 'transport'],
  limpet: ['core', 'transport', 'session', 'balancer', 'worker', 'supervisor'],
  demo: ['limpet'],
};

/** One broken rule, as a person should read it. */
export interface Violation {
  readonly rule: 'layer' | 'cycle' | 'own-index' | 'core-import' | 'core-purity' | 'undeclared' | 'outside';
  readonly file: string;
  readonly what: string;
}

// A machine that reads a clock, draws a number or waits cannot be replayed from a seed.
const impure: readonly (readonly [RegExp, string])[] = [
  [/\basync\b/, 'async'],
  [/\bawait\b/, 'await'],
  [/\bPromise\b/, 'Promise'],
  [/\bDate\s*\.\s*now\b|\bnew\s+Date\b/, 'the wall clock'],
  [/\bperformance\b/, 'performance'],
  [/\bMath\s*\.\s*random\b|\bgetRandomValues\b|\brandomUUID\b/, 'random numbers'],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'a timer'],
  [/\bconsole\b/, 'console'],
  [/\bprocess\s*\./, 'process'],
];

const packageOf = (path: string): string | null => /^packages\/([^/]+)\//.exec(path)?.[1] ?? null;
const isSource = (path: string): boolean => /^packages\/[^/]+\/(?:src|bin)\//.test(path) && isCode(path);

function packageNamed(specifier: string): string | null {
  const name = /^(?:@limpet\/([^/]+)|(limpet))(?:\/|$)/.exec(specifier);
  return name ? (name[1] ?? name[2] ?? null) : null;
}

const bareName = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** Names a package.json declares, by package folder. */
function declaredNames(files: readonly SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const declared = new Map<string, ReadonlySet<string>>();
  for (const { path, text } of files) {
    const name = /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1];
    if (!name) continue;
    const manifest: { [key: string]: unknown } = JSON.parse(text);
    const groups = ['dependencies', 'peerDependencies', 'optionalDependencies', 'devDependencies'];
    declared.set(name, new Set(groups.flatMap((group) => Object.keys(Object(manifest[group])))));
  }
  return declared;
}

/** Checks one import between packages or to the outside. Relative imports are followed by `findLayerViolations`. */
function checkBare(file: string, from: string, specifier: string, declared: ReadonlySet<string>): Violation | null {
  const target = packageNamed(specifier);
  if (from === 'core') return { rule: 'core-import', file, what: `core imports ${specifier}; it may import nothing` };
  if (target === from) return { rule: 'own-index', file, what: `imports its own package by name: ${specifier}` };
  if (target !== null && !layers[from]?.includes(target)) {
    return { rule: 'layer', file, what: `${from} may not import ${target}: imports go down only` };
  }
  if (!specifier.startsWith('node:') && !declared.has(bareName(specifier))) {
    return { rule: 'undeclared', file, what: `${specifier} is not in the package.json of ${from}` };
  }
  return null;
}

/** Cycles among files: each reported once, by the path that closes it. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): readonly Violation[] {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: Violation[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const circle = [...trail.slice(trail.indexOf(file)), file];
      cycles.push({ rule: 'cycle', file, what: circle.join(' → ') });
      return;
    }
    state.set(file, 'open');
    for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) visit(file, []);
  return cycles;
}

/** Every broken rule of DESIGN's layering in `files`. Tests are held to the layers of their package, not to core's purity. */
export function findLayerViolations(files: readonly SourceFile[]): readonly Violation[] {
  const violations: Violation[] = [];
  const graph = new Map<string, readonly string[]>();
  const declared = declaredNames(files);
  for (const { path, text } of files) {
    const from = packageOf(path);
    if (from === null || !isSource(path)) continue;
    if (!(from in layers)) violations.push({ rule: 'layer', file: path, what: `package ${from} has no layer` });
    const targets: string[] = [];
    for (const specifier of importsOf(text)) {
      if (specifier.startsWith('.')) {
        const target = posix.join(posix.dirname(path), specifier);
        targets.push(target.replace(/\.js$/, '.ts'));
        const ownIndex = `packages/${from}/src/index.ts`;
        if (target === ownIndex && path !== ownIndex && !isTest(path)) {
          violations.push({ rule: 'own-index', file: path, what: 'imports the index of its own package' });
        }
        if (packageOf(target) !== from)
          violations.push({ rule: 'outside', file: path, what: `reaches out: ${specifier}` });
      } else if (!isTest(path)) {
        const violation = checkBare(path, from, specifier, declared.get(from) ?? new Set());
        if (violation) violations.push(violation);
      } else {
        const target = packageNamed(specifier);
        if (target !== null && target !== from && !layers[from]?.includes(target)) {
          violations.push({
            rule: 'layer',
            file: path,
            what: `${from} may not import ${target}: imports go down only`,
          });
        }
      }
    }
    graph.set(path, targets);
    if (from === 'core' && !isTest(path)) violations.push(...findImpurities(path, text));
  }
  return [...violations, ...findCycles(graph)];
}

function findImpurities(file: string, text: string): readonly Violation[] {
  const { code } = readSource(text);
  return impure
    .filter(([pattern]) => pattern.test(code))
    .map(([, what]) => ({ rule: 'core-purity' as const, file, what: `core uses ${what}` }));
}
