/** What the first lines of a start say. */
export interface BannerFacts {
  readonly version: string;
  readonly nodes: number;
  readonly balancers: number;
  readonly store: 'buddy' | 'memory';
  readonly copies: number;
  readonly url: string;
  readonly adminUrl: string;
  readonly tries: readonly string[];
}

/** The three lines above `ready in 0.9 s`. */
export function formatBanner(facts: BannerFacts): readonly string[] {
  const head = [
    `limpet ${facts.version}`,
    count(facts.nodes, 'node'),
    count(facts.balancers, 'balancer'),
    formatCopies(facts),
  ];
  return [
    head.join(' · '),
    `  app    ${facts.url}     admin  ${facts.adminUrl}`,
    `  try    ${facts.tries.join('   ·   ')}`,
  ];
}

function formatCopies({ nodes, store, copies }: BannerFacts): string {
  if (store === 'memory') return 'store memory: sessions die with their node';
  if (copies === 1) return 'copies 1: sessions die with their node';
  if (nodes === 1) return 'one node: nothing is copied, sessions die with it';
  return `every session on ${Math.min(nodes, copies)} nodes`;
}

export const formatReady = (ms: number): string => `ready in ${(ms / 1000).toFixed(1)} s`;

/** `1 node`, `4 nodes`. */
export const count = (n: number, one: string): string => `${n} ${one}${n === 1 ? '' : 's'}`;

interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Scripts of the package.json whose npm script this process is, else none. */
  readonly scripts: readonly string[];
  /** As it must be given to other commands, null when they find it without. */
  readonly runDir: string | null;
  readonly nodes: number;
}

/** Commands to try next, in the words that work where the start was typed: `npm run kill -- n2` or `npx limpet kill n2`. */
export function planTries({ environment, scripts, runDir, nodes }: Surroundings): readonly string[] {
  const victim = nodes > 1 ? 'n2' : 'n1';
  const isScript = environment.npm_lifecycle_event === 'start';
  const line = (command: string, words: readonly string[]): string => {
    const more = runDir === null ? words : [...words, '--run-dir', /[^\w./-]/.test(runDir) ? `"${runDir}"` : runDir];
    if (!isScript || !scripts.includes(command)) return ['npx limpet', command, ...more].join(' ');
    return [`npm run ${command}`, ...(more.length === 0 ? [] : ['--', ...more])].join(' ');
  };
  const load = isScript && scripts.includes('load') ? ['npm run load'] : [];
  return [line('kill', [victim]), ...load, line('status', [])];
}
