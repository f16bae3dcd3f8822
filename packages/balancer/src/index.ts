/** The file a balancer process runs: `node <this file>`, with `LIMPET_RUN` set and the listening socket as descriptor 3. */
export const balancerEntry: URL = new URL('./main.js', import.meta.url);
