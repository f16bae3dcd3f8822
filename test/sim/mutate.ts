import { register } from 'node:module';
import { mutants } from './mutants.ts';

/** Loaded before everything else by a job that plays against a mutant: one rule is broken while its file is loaded. */
const name = process.env['LIMPET_SIM_MUTANT'];
const mutant = mutants.find((known) => known.name === name);
if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
register('./patch-hooks.js', import.meta.url, { data: mutant });
