/** A rule of PROTOCOL.md that the simulator must notice the lack of. */
export type Rule = `P${number}`;

/** One change to the text of one built module. */
export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands in the module exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** The product with one rule broken. Nothing of it is in the shipped code: the runner changes modules as they are loaded. */
export interface Mutant extends Edit {
  /** Names what is wrong with it. */
  readonly name: string;
  readonly rule: Rule;
  /** What goes wrong without the rule, and which invariant should notice. */
  readonly why: string;
  /** Where a second guard stands behind the first, both are taken away. */
  readonly also?: readonly Edit[];
}

/** A rule, or a part of one, whose code has no place in a world without kernel and disk. */
export interface HeldElsewhere {
  readonly rule: Rule;
  readonly what: string;
  readonly why: string;
  /** The tests that hold it, from the root of the repository. */
  readonly tests: readonly string[];
}

export const editsOf = (mutant: Mutant): readonly Edit[] => [mutant, ...(mutant.also ?? [])];

/** Throws when the text to be found is not there exactly once: the product has changed, and the mutant must follow. */
export function applyEdit(text: string, { file, find, replace }: Edit, name: string): string {
  const found = text.split(find).length - 1;
  if (found !== 1) throw new Error(`mutant "${name}": its text is ${found} times in ${file}, not once: ${find}`);
  return text.replace(find, () => replace);
}

/** A module with all the edits that concern it. */
export const applyEdits = (text: string, file: string, mutant: Mutant): string =>
  editsOf(mutant).reduce(
    (changed, edit) => (edit.file === file ? applyEdit(changed, edit, mutant.name) : changed),
    text,
  );
