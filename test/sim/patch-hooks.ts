import type { LoadHook } from 'node:module';
import type { Mutant } from './mutant.ts';

let mutant: Mutant | null = null;

export function initialize(data: Mutant): void {
  mutant = data;
}

/** Hands on every file as it is, but for the one place of the one file that the mutant names. */
export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (mutant === null || !url.endsWith(`/packages/${mutant.file}`)) return loaded;
  const source = Buffer.from(loaded.source as Uint8Array).toString();
  const places = source.split(mutant.find).length - 1;
  if (places !== 1)
    throw new Error(`mutant ${mutant.name}: ${JSON.stringify(mutant.find)} is ${places} times in ${mutant.file}`);
  return { ...loaded, source: source.replace(mutant.find, () => mutant?.replace ?? '') };
};
