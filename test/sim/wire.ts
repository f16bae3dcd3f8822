import type { Prior, RequestId, SessionId, View, ViewNumber } from '@limpet/core';

/** What a visitor asks the app for. */
export interface Ask {
  readonly kind: Kind;
  /** Names the effect: it is appended to a list of the session, once or twice per request. */
  readonly tag: string;
  readonly method: 'GET' | 'PUT' | 'POST';
  /** The operator has declared that it may run again after a death. */
  readonly declared: boolean;
  /** How long the handler works between its steps, in milliseconds. */
  readonly workMs: number;
}

export type Kind =
  | 'read'
  | 'append'
  | 'appendTwice'
  | 'other'
  | 'put'
  | 'save'
  | 'stream'
  | 'renew'
  | 'regenerate'
  | 'destroy'
  | 'bare'
  | 'crash';

/** A request as a balancer sends it to a worker. */
export interface WireRequest {
  readonly request: RequestId;
  readonly session: SessionId | null;
  readonly view: ViewNumber;
  readonly attempt: number;
  readonly prior: Prior | null;
  readonly deadlineMs: number;
  readonly ask: Ask;
}

/** What a worker writes on a connection. */
export type WireAnswer =
  | {
      readonly kind: 'head';
      readonly status: number;
      /** Of the worker itself, not of the app. */
      readonly verdict: string | null;
      readonly echo: RequestId;
      readonly view: View | null;
      /** A stream: its pieces go on to the client as they come. */
      readonly isStream: boolean;
    }
  | { readonly kind: 'piece'; readonly body: Uint8Array }
  | { readonly kind: 'end' };

/** What the app found and did, as the client reads it. */
export interface Body {
  readonly request: RequestId;
  /** Where the handler ran. */
  readonly at: string;
  /** The session that the handler was given, by the name it got at its birth; null: none. */
  readonly found: string | null;
  /** The session as it was left. */
  readonly birth: string | null;
  readonly log: readonly string[];
  readonly other: readonly string[];
  readonly count: number;
  /** What the head said about the cookie. */
  readonly cookie:
    | { readonly kind: 'keep' }
    | { readonly kind: 'give'; readonly id: SessionId }
    | { readonly kind: 'take' };
}

export const encodeBody = (body: Body): Uint8Array => Buffer.from(JSON.stringify(body));
export const decodeBody = (bytes: Uint8Array): Body => JSON.parse(Buffer.from(bytes).toString()) as Body;

/** How a request ended for the client. */
export type Outcome =
  | { readonly kind: 'answered'; readonly bodies: readonly Body[] }
  | { readonly kind: 'refused'; readonly outcome: string }
  /** Its balancer is gone, or the answer was cut. */
  | { readonly kind: 'broken'; readonly bodies: readonly Body[] };
