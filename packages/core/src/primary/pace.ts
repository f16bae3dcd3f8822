/** P12: how much of the full pace of copying a member goes at. Requests and copies want the same processors, and requests go first. */

/** A tick so late means that the loop, or the machine, has more to do than it can, in milliseconds. */
export const lateMsMax = 8;
/** Copies are made at this share of the full pace however busy it is: until then a session has one copy less than asked for. */
export const shareMin = 1 / 8;
/** Given back with every tick that comes in time. */
const shareStep = 1 / 32;

/** The share from now on: halved by a late tick, given back in small steps. */
export const nextShare = (share: number, lateMs: number): number =>
  lateMs > lateMsMax ? Math.max(shareMin, share / 2) : Math.min(1, share + shareStep);
