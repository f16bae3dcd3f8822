/** Every bound of the balancer by name. */

/** Request head, all lines together. Larger: 431. */
export const headBytesMax = 16 * 1024;
/** Header lines of a request. Node 20 cuts longer lists silently, so this many or more are refused with 431. */
export const headerLinesMax = 200;
/** Request target. Longer: 414. */
export const targetBytesMax = 8 * 1024;
/** Requests that may wait behind a running one on their connection. More: it is closed. */
export const pipelinedMax = 100;
/** Header block of a worker's answer. */
export const answerHeadBytesMax = 64 * 1024;
/** A request body up to here is read whole before it is sent, so that it can be sent again (P20). */
export const replayBytesMax = 64 * 1024;
/** An answer of known length up to here is held whole, so that a death in its middle can still be retried (P20). */
export const heldBytesMax = 64 * 1024;
/** Connections to one member. Event streams and long polls hold one each. */
export const connectionsMax = 512;
/** Requests that may wait for a connection to one member. More: 503. */
export const queueMax = 1_024;
/** Tunnels (WebSocket) over all members. */
export const tunnelsMax = 10_000;
/** Requests waiting for a newer view, a settled cluster or a death's proof. More: 503. */
export const waitersMax = 10_000;
/** Suspects waiting for their turn (P21). */
export const laneMax = 256;
/** A suspect has the lane for itself this long; an endless answer must not keep the others out. */
export const laneHoldMs = 5_000;
/** Interim (1xx) answers relayed per request. More are dropped. */
export const interimMax = 16;
/** Deaths remembered, by address. */
export const deathsKept = 256;

/** A TLS handshake must be over within this. */
export const handshakeMs = 10_000;
/** How often the files of certificates are looked at. */
export const certificateLookMs = 2_000;
/** The client's head must be here within this. */
export const headersTimeoutMs = 20_000;
/** The client's whole request must be here within this: a 200 MB upload over a slow line takes a while. */
export const requestTimeoutMs = 1_800_000;
/** A kept-alive connection of a client may be idle this long. */
export const clientIdleMs = 75_000;
/** From the last byte sent upstream to the answer's head. */
export const answerTimeoutMs = 300_000;
/** An idle connection to a member is closed after this; the worker never closes one. */
export const upstreamIdleMs = 60_000;
/** Connecting to a Unix socket. */
export const connectTimeoutMs = 2_000;
/** Upgrade request to the worker's 101. */
export const handshakeTimeoutMs = 10_000;
/** A broken connection to a member that stays in the view this long was no death. */
export const deathProofMs = 1_000;
/** Wait for a newer view after a 421 that names none. */
export const refreshMs = 250;
/** A client that still sends its body after the answer is read to the end for this long, so that it sees the answer. */
export const lingerMs = 2_000;
/** Connections to a removed member are destroyed this long after it was removed. */
export const removedMs = 2_000;
/** A process that no supervisor has welcomed by then was started by one that is gone: it ends itself. */
export const welcomeMs = 10_000;
/** What running requests get when a balancer without a supervisor ends itself. */
export const orphanGraceMs = 10_000;
/** In-flight count to the supervisor. */
export const statsMs = 500;
