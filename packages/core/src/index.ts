export * from './errors.ts';
export * from './headers.ts';
export * from './ids.ts';
export * from './messages.ts';
export * from './unreachable.ts';
export * from './view.ts';
