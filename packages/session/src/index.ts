export type * from './context.ts';
export { runtimeSymbol } from './context.ts';
export type * from './engine.ts';
