import {
  formatKeyed,
  formatViewNumber,
  internalHeaders,
  isSafe,
  type Keyed,
  type Prior,
  type RequestId,
  type SessionId,
  type View,
  type ViewNumber,
  type WorkerVerdict,
} from '@limpet/core';
import type { Dispatcher } from 'undici';
import { type AnswerHead, readAnswerHead } from './answer-head.ts';
import type { Downstream } from './downstream.ts';
import { answerTimeoutMs, heldBytesMax, interimMax } from './limits.ts';
import type { RequestHead } from './request-head.ts';
import { type Body, Upload } from './upload.ts';
import type { Upstream } from './upstreams.ts';

/** One request on its way, the same over all its attempts. */
export interface Passage {
  readonly id: RequestId;
  readonly head: RequestHead;
  readonly session: SessionId | null;
  readonly body: Body;
  /** Its Idempotency-Key and what it came with, as digests. */
  readonly keyed: Keyed | null;
  /** The client, by its key, or the operator, by a route, has said that it may run again after a death. */
  readonly declared: boolean;
  /** False once the worker has admitted a long request: its body cannot be sent again. */
  replayable: boolean;
  /** Alternating name and value, added after the client's own lines. */
  readonly extra: readonly string[];
}

/** What an attempt tells the worker about itself. */
export interface AttemptNote {
  readonly view: View;
  readonly attempt: number;
  readonly prior: Prior | null;
  readonly deadlineMs: number;
}

/** How an attempt ended. */
export type AttemptResult =
  /** Held whole, nothing out yet. */
  | { readonly kind: 'held'; readonly head: AnswerHead; readonly body: readonly Buffer[] }
  /** Relayed as it came, to its end. */
  | { readonly kind: 'relayed' }
  | { readonly kind: 'refused'; readonly view: ViewNumber | null }
  /** Limpet answered in the worker. `isLate`: because a deadline passed there. */
  | { readonly kind: 'verdict'; readonly outcome: WorkerVerdict; readonly isLate: boolean }
  | { readonly kind: 'unsent' }
  | { readonly kind: 'broken'; readonly back: 'nothing' | 'head' | 'part'; readonly out: boolean }
  | { readonly kind: 'late' }
  /** `why` is for the log: a code or a few words, nothing that was received. */
  | { readonly kind: 'malformed'; readonly why: string }
  /** The client left, or its body broke off: nobody waits for an answer. */
  | { readonly kind: 'gone' };

const verdicts: ReadonlySet<string> = new Set<WorkerVerdict>([
  'not-executed',
  'unknown',
  'executed',
  'gone',
  'running',
  'reused',
]);

/** The internal lines of a head, after everything a client sent: alternating name and value. */
export function internalLines(
  { id, session, keyed }: Pick<Passage, 'id' | 'session' | 'keyed'>,
  note: AttemptNote,
  admit: boolean,
): string[] {
  const lines = [
    internalHeaders.request,
    id,
    internalHeaders.view,
    formatViewNumber(note.view),
    internalHeaders.attempt,
    String(note.attempt),
    internalHeaders.deadline,
    String(note.deadlineMs),
  ];
  if (note.prior !== null) lines.push(internalHeaders.prior, note.prior);
  if (session !== null) lines.push(internalHeaders.session, session);
  if (keyed !== null) lines.push(internalHeaders.key, formatKeyed(keyed));
  if (admit) lines.push(internalHeaders.admit, '1');
  return lines;
}

/**
 * Sends the request to one worker and relays or holds what comes back. Resolves once nothing more will happen; never
 * rejects.
 */
export function exchange(
  passage: Passage,
  upstream: Upstream,
  note: AttemptNote,
  down: Downstream,
): Promise<AttemptResult> {
  return new Promise((resolve) => {
    const attempt = new Attempt(passage, upstream, note, down, resolve);
    attempt.start();
  });
}

class Attempt implements Dispatcher.DispatchHandler {
  readonly #passage: Passage;
  readonly #upstream: Upstream;
  readonly #note: AttemptNote;
  readonly #down: Downstream;
  readonly #resolve: (result: AttemptResult) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #upload: Upload | null = null;
  #timer: NodeJS.Timeout | null = null;
  #head: AnswerHead | null = null;
  #chunks: Buffer[] = [];
  #back: 'nothing' | 'head' | 'part' = 'nothing';
  #isHeld = false;
  #isOut = false;
  #isDone = false;
  #isAbandoned = false;
  #interims = 0;
  #isAdmitAwaited = false;
  #forgetRemoval: () => void = () => {};

  constructor(
    passage: Passage,
    upstream: Upstream,
    note: AttemptNote,
    down: Downstream,
    resolve: (result: AttemptResult) => void,
  ) {
    this.#passage = passage;
    this.#upstream = upstream;
    this.#note = note;
    this.#down = down;
    this.#resolve = resolve;
  }

  start() {
    const { head, body, extra } = this.#passage;
    if (body.kind === 'broken') return this.#finish({ kind: 'gone' });
    const isLong = body.kind === 'long';
    this.#isAdmitAwaited = isLong;
    const lines = [...head.lines, ...extra];
    if (isLong && body.length !== null) lines.push('Content-Length', String(body.length));
    lines.push(...internalLines(this.#passage, this.#note, isLong));
    if (isLong) {
      // undici's own timeout counts from the head; an upload may take longer than that, so ours counts from its progress.
      this.#upload = new Upload(body, () => this.#timer?.refresh());
      this.#timer = setTimeout(() => this.#controller?.abort(new Error('no answer in time')), answerTimeoutMs);
    }
    this.#down.onGone = () => this.#leave();
    this.#down.onDrain = () => this.#controller?.resume();
    this.#forgetRemoval = this.#upstream.whenRemoved(() => this.#giveUpOnTheDead());
    try {
      this.#upstream.pool.dispatch(
        {
          path: head.path,
          method: head.method as Dispatcher.HttpMethod,
          headers: lines,
          body: isLong ? this.#upload : body.kind === 'whole' && body.bytes.length > 0 ? body.bytes : null,
          // undici writes the one framing line itself, for every method: a length for bytes, a length or chunks for an upload.
          ...(isLong && { headersTimeout: 0 }),
        },
        this,
      );
    } catch (error) {
      // undici refuses what it cannot write (a head it holds for unsafe): nothing was sent.
      this.#finish({ kind: 'malformed', why: codeOf(error) ?? 'the request cannot be written' });
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAbandoned) controller.abort(new Error('the client left'));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, _: unknown, statusText?: string) {
    const raw = (controller.rawHeaders ?? []) as readonly (string | Buffer)[];
    const head = readAnswerHead(this.#passage.head.method, status, statusText ?? '', raw);
    if (status < 200 && head.fault === null) return this.#interim(head);
    this.#admit();
    this.#back = 'head';
    if (head.fault !== null) {
      this.#finish({ kind: 'malformed', why: head.fault });
      controller.abort(new Error('the answer could be read in two ways'));
      return;
    }
    if (head.echo !== this.#passage.id) {
      // Bytes of another exchange on this connection: whatever follows on it is not to be trusted either.
      this.#finish({ kind: 'malformed', why: head.echo === undefined ? 'no request id' : 'another request id' });
      controller.abort(new Error('the answer names another request'));
      return;
    }
    this.#head = head;
    if (head.verdict !== undefined) return;
    // Whole with its head. undici wants the bytes that a Content-Length names, and a 304 may name those of another answer.
    if (status === 204 || status === 304) return this.#finish({ kind: 'held', head, body: [] });
    this.#isHeld = head.bytes !== null && head.bytes <= heldBytesMax;
    if (this.#isHeld) return;
    this.#sendHead(head);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#back = 'part';
    if (this.#isDone) return;
    if (this.#isHeld) this.#chunks.push(chunk);
    else if (this.#isOut && !this.#down.write(chunk)) controller.pause();
  }

  onResponseEnd() {
    const head = this.#head;
    if (head === null || this.#isDone) return;
    if (isMisdirected(head)) return this.#finish({ kind: 'refused', view: head.view });
    if (head.verdict !== undefined) {
      if (!verdicts.has(head.verdict)) return this.#finish({ kind: 'malformed', why: 'the verdict' });
      return this.#finish({ kind: 'verdict', outcome: head.verdict as WorkerVerdict, isLate: head.status === 504 });
    }
    if (this.#isOut) {
      this.#down.end();
      return this.#finish({ kind: 'relayed' });
    }
    this.#finish({ kind: 'held', head, body: this.#chunks });
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error) {
    if (this.#down.isGone || this.#isAbandoned) return this.#finish({ kind: 'gone' });
    if (this.#upload?.errored && this.#passage.body.kind === 'long' && this.#passage.body.request.destroyed) {
      return this.#finish({ kind: 'gone' });
    }
    if (this.#controller === null) return this.#finish({ kind: 'unsent' });
    // The worker's own word stands in the head alone: what broke off behind it says nothing.
    if (this.#head?.verdict !== undefined) return this.onResponseEnd();
    const code = codeOf(error);
    if (code === 'UND_ERR_HEADERS_TIMEOUT' || error.message === 'no answer in time')
      return this.#finish({ kind: 'late' });
    // A head that is no HTTP. Not so when the connection ended in the middle of a good one.
    if (
      this.#back === 'nothing' &&
      (code?.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW') &&
      code !== 'HPE_INVALID_EOF_STATE'
    ) {
      return this.#finish({ kind: 'malformed', why: code ?? 'no HTTP' });
    }
    this.#finish({ kind: 'broken', back: this.#back, out: this.#isOut });
  }

  #interim(head: AnswerHead) {
    if (head.status === 102 && this.#isAdmitAwaited) return this.#admit();
    this.#interims += 1;
    if (this.#interims <= interimMax) this.#down.interim(head.status, head.lines);
  }

  #admit() {
    if (this.#upload === null || !this.#isAdmitAwaited) return;
    this.#isAdmitAwaited = false;
    // A refusal needs no body, and what has not been read can still go elsewhere.
    queueMicrotask(() => {
      if (this.#head?.verdict !== undefined || this.#isDone) return;
      this.#passage.replayable = false;
      this.#upload?.admit();
    });
  }

  #sendHead(head: AnswerHead): void {
    if (this.#down.isGone) return;
    this.#isOut = true;
    this.#down.head(head.status, head.statusText, head.lines, head.isUntilClose);
    this.#down.flush();
  }

  /** The client left. A safe method's work is of no use any more; any other runs to its end and commits. */
  #leave(): void {
    const isUploading = this.#upload !== null && !this.#upload.readableEnded;
    if (isSafe(this.#passage.head.method) || isUploading) {
      this.#isAbandoned = true;
      this.#controller?.abort(new Error('the client left'));
    } else this.#controller?.resume();
  }

  /**
   * The worker is proven dead. Its sockets close only when the kernel has freed its memory, a fifth of a second for a
   * gigabyte; but what it has written is in them already. The second of two turns comes right after a look at all
   * sockets that began after the proof: what has not begun to arrive by then never will.
   */
  #giveUpOnTheDead(): void {
    setImmediate(() => {
      setImmediate(() => {
        if (this.#isDone || this.#back !== 'nothing') return;
        if (this.#controller === null) this.#finish({ kind: 'unsent' });
        else this.#controller.abort(new Error('the worker died'));
      });
    });
  }

  #finish(result: AttemptResult): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#forgetRemoval();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#down.onGone = null;
    this.#down.onDrain = null;
    this.#resolve(result);
  }
}

/** The worker's own 421: nothing has run there. An app's 421 has no verdict and is an answer like any other. */
const isMisdirected = ({ status, verdict }: AnswerHead): boolean => status === 421 && verdict === 'not-executed';

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
