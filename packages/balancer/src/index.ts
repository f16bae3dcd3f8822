/** The file a balancer process runs: `node <this file>`, with `LIMPET_RUN` set and the listening socket as descriptor 3. */
export const balancerEntry: URL = new URL('./main.js', import.meta.url);
export { Cluster } from './cluster.ts';
export type { AttemptNote, AttemptResult } from './exchange.ts';
export { SerialLane } from './lane.ts';
export { type Destination, type End, Journey, type Relay, type Traveller } from './relay.ts';
