/** Names that travel between processes, branded so that one cannot be passed for another. Each is minted here only. */

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** `n1`, `n2`, …: a place in the cluster. Every start of a worker under it is a new incarnation. */
export type NodeId = Brand<string, 'NodeId'>;
/** 40 base64url characters whose MAC was verified (session-id.ts). */
export type SessionId = Brand<string, 'SessionId'>;
/** 128 bits as 32 lower-case hex digits, made once per client request by the balancer and kept over all attempts. */
export type RequestId = Brand<string, 'RequestId'>;
/** The digest of an Idempotency-Key as 22 base64url characters: names the key within its session. */
export type KeyName = Brand<string, 'KeyName'>;

const nodeIdPattern = /^n[1-9][0-9]{0,3}$/;
const requestIdPattern = /^[0-9a-f]{32}$/;
const keyNamePattern = /^[A-Za-z0-9_-]{22}$/;

/** The node named by `text`, or null: `n1` … `n9999`. */
export const parseNodeId = (text: string): NodeId | null => (nodeIdPattern.test(text) ? (text as NodeId) : null);

/** The node in the place `index`, counted from 1. */
export const nodeIdAt = (index: number): NodeId => `n${index}` as NodeId;

/** The request id spelled by `text`, or null. */
export const parseRequestId = (text: string): RequestId | null =>
  requestIdPattern.test(text) ? (text as RequestId) : null;

/** The key named by `text`, or null. */
export const parseKeyName = (text: string): KeyName | null => (keyNamePattern.test(text) ? (text as KeyName) : null);
