/**
 * Every error Limpet reports, in one table: a stable code, whose fault it is, whether trying again can help.
 * `{name}` in the text is filled by `limpetError`. docs/errors.md lists them all; a test keeps it equal.
 */
export interface ErrorEntry {
  /** `operator`: command line, configuration, machine. `app`: the program that Limpet runs. `client`: the far end of an HTTP connection. `cluster`: a state of the cluster. */
  readonly fault: 'operator' | 'app' | 'client' | 'cluster';
  readonly retryable: boolean;
  /** HTTP status where it is the answer to a request, else null. */
  readonly status: number | null;
  /** What happened, to what, with which value, and what to do. */
  readonly text: string;
}

export const errorTable = {
  LIMPET_HEAD_SENT: {
    fault: 'app',
    retryable: false,
    status: 500,
    text: 'the session cannot be {action} after the response head has been sent: no cookie can follow; do it before the first write',
  },
  LIMPET_SESSION_GONE: {
    fault: 'app',
    retryable: false,
    status: 409,
    text: 'the session was destroyed or regenerated while this request ran: its change to "{attribute}" is refused',
  },
  LIMPET_NOT_COPYABLE: {
    fault: 'app',
    retryable: false,
    status: 500,
    text: 'session attribute "{path}" holds {what}, which cannot be copied to another node: store plain data instead',
  },
  LIMPET_DEADLINE: { fault: 'cluster', retryable: true, status: 504, text: 'no answer within {ms} ms: {what}' },
  LIMPET_TWO_COPIES: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'two different copies of limpet in one worker: {runtime} and {app}; install one version for both',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorTable;

/** An error of the table. `code` is stable; `detail` holds the values that fill the text. */
export class LimpetError extends Error {
  readonly code: ErrorCode;
  readonly detail: Readonly<Record<string, string | number>>;

  constructor(code: ErrorCode, detail: Readonly<Record<string, string | number>> = {}, cause?: unknown) {
    const text: string = errorTable[code].text;
    super(
      text.replace(/\{(\w+)\}/g, (_, name: string) => String(detail[name] ?? `{${name}}`)),
      cause === undefined ? undefined : { cause },
    );
    this.name = 'LimpetError';
    this.code = code;
    this.detail = detail;
  }

  get entry(): ErrorEntry {
    return errorTable[this.code];
  }
}
