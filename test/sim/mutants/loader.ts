import type { InitializeHook, LoadHook } from 'node:module';
import { applyEdits, editsOf, type Mutant } from './mutant.ts';

/**
 * Module hooks of a process that runs a mutant: the modules it names are changed as they are loaded, and nothing is
 * written anywhere. Each module that was changed says so, because a mutant whose module is never loaded proves nothing.
 */
let mutant: Mutant | null = null;
const files = new Map<string, string>();

export const initialize: InitializeHook<{ readonly mutant: Mutant; readonly root: string }> = (data) => {
  mutant = data.mutant;
  for (const { file } of editsOf(data.mutant)) files.set(new URL(file, data.root).href, file);
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const file = files.get(url);
  if (file === undefined || mutant === null) return loaded;
  const { source } = loaded;
  if (source === undefined || source === null) throw new Error(`${file} was loaded without its text`);
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  const changed = applyEdits(text, file, mutant);
  return { ...loaded, source: `${changed}\n(globalThis.mutated ??= new Set()).add(${JSON.stringify(file)});\n` };
};
