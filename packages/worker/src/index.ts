/** What `--import` is given to make a worker of a process that the supervisor started. */
export const preloadEntry: URL = new URL('./preload.js', import.meta.url);
