/** One rule broken at one place: text of a built file, which must be there exactly once. */
export interface Mutant {
  readonly name: string;
  readonly rule: string;
  /** Below `packages/`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What goes wrong then. */
  readonly why: string;
}
