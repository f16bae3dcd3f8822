import type { Deed } from './stage.ts';
import { nodeNamed, type Story } from './story.ts';

/** What a script can say. Each is one line; the folder's README explains them. */
const commands: readonly (readonly [RegExp, (story: Story, found: Found) => void | Promise<void>])[] = [
  [
    /^cluster (?<nodes>n\d+(?: n\d+)*)(?: copies=(?<copies>\d))?(?: balancers=(?<balancers>\d))?$/,
    (story, { nodes, copies, balancers }) =>
      story.cluster(nodes.split(' ').map(nodeNamed), Number(copies || 2), Number(balancers || 1)),
  ],
  [
    /^session (?<name>\w+) on (?<places>n\d+(?: n\d+)*): (?<deeds>.+)$/,
    (story, { name, places, deeds }) => story.session(name, places.split(' ').map(nodeNamed), readDeeds(deeds)),
  ],
  [
    /^request (?<name>\w+) (?<method>[A-Z]+)(?: (?<session>s\d+))?(?: via (?<via>b\d))?: (?<deeds>.+)$/,
    (story, { name, method, session, via, deeds }) => {
      const { done, whole } = readWork(deeds);
      story.request(name, method, session || null, via || 'b1', done, whole);
    },
  ],
  [
    /^(?<name>r\d+): (?<deeds>.+)$/,
    (story, { name, deeds }) => {
      const { done, whole } = readWork(deeds);
      story.goOn(name, done, whole);
    },
  ],
  [/^deliver all(?: but (?<way>\w+→\w+(?: \w+→\w+)*))?$/, (story, { way }) => story.deliverAll(way?.split(' ') ?? [])],
  [/^deliver (?<way>\w+→\w+)(?: (?<count>\d+))?$/, (story, { way, count }) => story.deliver(way, Number(count || 1))],
  [/^deliver all (?<way>\w+→\w+)$/, (story, { way }) => story.deliver(way, Number.MAX_SAFE_INTEGER)],
  [/^lose (?<way>\w+→\w+)$/, (story, { way }) => story.lose(way)],
  [/^wait (?<ms>\d+) ms$/, (story, { ms }) => story.wait(Number(ms))],
  [/^kill supervisor$/, (story) => story.killSupervisor()],
  [/^supervisor returns$/, (story) => story.returnSupervisor()],
  [/^supervisor looks$/, (story) => story.supervisor.look()],
  [/^kill (?<node>n\d+)$/, (story, { node }) => story.kill(nodeNamed(node))],
  [/^start (?<node>n\d+)$/, (story, { node }) => story.start(nodeNamed(node))],
  [/^pause (?<node>n\d+)$/, (story, { node }) => story.worker(nodeNamed(node)).pause()],
  [/^resume (?<node>n\d+)$/, (story, { node }) => story.worker(nodeNamed(node)).resume()],
  [/^drain (?<node>n\d+)$/, (story, { node }) => story.supervisor.drain(nodeNamed(node))],
  [/^undrain (?<node>n\d+)$/, (story, { node }) => story.supervisor.undrain(nodeNamed(node))],
  [/^check (?<name>\w+)$/, (story, { name }) => story.check(name)],
];

/** The parts of a command; one that was left out is empty. */
type Found = Record<
  | 'name'
  | 'nodes'
  | 'node'
  | 'copies'
  | 'balancers'
  | 'places'
  | 'deeds'
  | 'method'
  | 'session'
  | 'via'
  | 'way'
  | 'count'
  | 'ms',
  string
>;

/** Runs one line of a script and gives what it led to. Throws for one that nobody understands. */
export function run(story: Story, line: string): Promise<readonly string[]> {
  for (const [pattern, act] of commands) {
    const match = pattern.exec(line);
    if (match !== null) return story.tell(() => act(story, (match.groups ?? {}) as Found));
  }
  throw new Error(`unknown command: ${line}`);
}

const isCheck = /^check (\w+)$/;
export const checkedBy = (line: string): string | null => isCheck.exec(line)?.[1] ?? null;

/** A handler whose work ends with `…` goes on when the script says so. */
function readWork(text: string): { readonly done: Deed[]; readonly whole: boolean } {
  const parts = text.split(', ');
  const isOpen = parts.at(-1) === '…';
  if (isOpen) parts.pop();
  if (parts.length === 1 && parts[0] === 'answer') return { done: [], whole: true };
  return { done: readDeeds(parts.join(', ')), whole: !isOpen };
}

function readDeeds(text: string): Deed[] {
  return text === '' ? [] : text.split(', ').map(readDeed);
}

function readDeed(text: string): Deed {
  const [, add] = /^(\w+) \+= 1$/.exec(text) ?? [];
  if (add !== undefined) return { kind: 'add', attribute: add };
  const [, put, value] = /^(\w+) = (\d+)$/.exec(text) ?? [];
  if (put !== undefined) return { kind: 'put', attribute: put, value: Number(value) };
  const [, read] = /^read (\w+)$/.exec(text) ?? [];
  if (read !== undefined) return { kind: 'read', attribute: read };
  if (text === 'log out') return { kind: 'logout' };
  if (text === 'crash') return { kind: 'crash' };
  throw new Error(`unknown deed: ${text}`);
}
