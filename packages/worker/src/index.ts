/** What `--import` is given to make a worker of a process that the supervisor started. */
export const preloadEntry: URL = new URL('./preload.js', import.meta.url);
export { MemberLinks } from './member-links.ts';
export { createMint } from './mint.ts';
export { type OwnAnswer, Reception, type Visit } from './reception.ts';
export { decideRelease } from './release-rule.ts';
export { Running } from './running.ts';
export { ViewFeed } from './view-feed.ts';
