/**
 * How much a member keeps of what grows with traffic. One and the same in a whole cluster: primary and copies cut a
 * session's log by them, and must end equal. The machines take them as an option, so that what happens at each is tried.
 */
export interface Bounds {
  /** Requests that a session's log remembers; the oldest go first. A retry of one that has gone is taken for a new request. */
  readonly logEntriesMax: number;
  /**
   * Bytes of undelivered answers in a session's log; above it the oldest lose their answers, not their ids: a retry is then
   * told `executed`.
   */
  readonly logAnswerBytesMax: number;
  /** Ended sessions remembered by each side of a member. Above it the oldest are forgotten before their time. */
  readonly tombstonesMax: number;
  /** Messages that a keeper holds for a view that has not come (P3), and offers that an app loop does. */
  readonly earlyMessagesMax: number;
  /** Ids remembered as unknown within one view (P6). */
  readonly unknownIdsMax: number;
  /** Offered ids that wait to be claimed; the holders of more offer them again (P6). */
  readonly offersMax: number;
  /** Claims under way that no request waits for. */
  readonly quietClaimsMax: number;
  /** Fresh writes, and records that a response is held for, under way to one member (P12). */
  readonly freshMax: number;
  /** The same for records that nobody waits for: a fresh write queues behind them on the link. */
  readonly bulkMax: number;
}

/** How much there is now of what a bound is for, by the bound's name. */
export type Kept = Partial<Record<keyof Bounds, number>>;

export const bounds: Bounds = {
  logEntriesMax: 2_000,
  // Room for four of the largest.
  logAnswerBytesMax: 256 * 1024,
  tombstonesMax: 100_000,
  earlyMessagesMax: 50_000,
  unknownIdsMax: 10_000,
  offersMax: 100_000,
  quietClaimsMax: 32,
  freshMax: 4_096,
  bulkMax: 64,
};
