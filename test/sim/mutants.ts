import type { Mutant } from './mutant.ts';
import { memberMutants } from './mutants-members.ts';
import { recordMutants } from './mutants-records.ts';

/** Nothing of this is in the product: a job that plays against one patches the file while it loads it. */
export const mutants: readonly Mutant[] = [...recordMutants, ...memberMutants];
