import type { ClusterEvent } from '@limpet/supervisor';
import { count } from './format-banner.ts';
import { formatDuration } from './option-readers.ts';
import { flagOf, options } from './options.ts';

type Adopted = ClusterEvent & { readonly kind: 'adopted' };
type Difference = Adopted['differences'][number];

/** `took over 3 nodes and 1 balancer whose supervisor was gone`. */
export function formatAdoption({ nodes, balancers }: Adopted): string {
  return `took over ${count(nodes.length, 'node')} and ${count(balancers.length, 'balancer')} whose supervisor was gone`;
}

const remedies: { readonly [takes in Difference['takes']]: string } = {
  now: 'in force now',
  restart: 'in force for each node at its next start: limpet restart --rolling',
  scale: 'as before until: limpet scale',
  stop: 'as before until: limpet stop, limpet start',
};

/** What this start asked for and the running cluster does not have: one line each, and what to do. */
export function formatDifferences(differences: readonly Difference[]): readonly string[] {
  return differences.map(({ option, running, given, takes }) => {
    const name = option in options ? flagOf(option) : option;
    return `${name}: was ${spell(option, running)}, now ${spell(option, given)}; ${remedies[takes]}`;
  });
}

/** Times are told as they are written. */
function spell(option: string, value: string): string {
  const isTime = option in options && options[option as keyof typeof options].reader.placeholder === '<time>';
  return isTime && /^[1-9]\d*$/.test(value) ? formatDuration(Number(value)) : value;
}
