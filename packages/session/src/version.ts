import { fileURLToPath } from 'node:url';

/** The version of this copy of limpet. Every package of a release carries the same; a test compares. */
export const version = '0.1.0';

/** What a runtime and a middleware must agree on to understand each other (context.ts). */
export const contract = 1;

/** Where this copy was loaded from, named when two meet. */
export const loadedFrom: string = fileURLToPath(import.meta.url);
