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
  LIMPET_SOCKET_PATH: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the socket path {path} has {bytes} bytes, more than {bytesMax}: use a shorter run directory (--run-dir)',
  },
  LIMPET_SOCKET_IN_USE: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'another process already listens on the socket {path}: stop it, or use another run directory (--run-dir)',
  },
  LIMPET_FRAME_TOO_LARGE: {
    fault: 'cluster',
    retryable: false,
    status: null,
    text: 'a message of {bytes} bytes between processes is refused: the limit is {bytesMax}',
  },
  LIMPET_FRAME_BROKEN: {
    fault: 'cluster',
    retryable: true,
    status: null,
    text: 'a message between processes cannot be read ({what}): the link is closed and opened anew',
  },
  LIMPET_LINK_OVERFLOW: {
    fault: 'cluster',
    retryable: true,
    status: null,
    text: '{bytes} bytes wait for a process that does not read them, more than {bytesMax}: the link is closed and opened anew',
  },
  LIMPET_USAGE: { fault: 'operator', retryable: false, status: null, text: '{problem}' },
  LIMPET_OPTIONS: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the settings cannot be used as they are:\n{problems}',
  },
  LIMPET_CONFIG_FILE: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the configuration file {file} cannot be used: {why}',
  },
  LIMPET_APP_FILE: { fault: 'operator', retryable: false, status: null, text: 'cannot start {file}: {why}' },
  LIMPET_APP_TYPESCRIPT: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'cannot start {file}: node {node} does not run TypeScript by itself and the project has no tsx; npm install --save-dev tsx, or start the compiled .js file, or use node 22.18 or later',
  },
  LIMPET_ENV_FILE: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the environment file {file} cannot be read: {why}',
  },
  LIMPET_OTHER_COPY: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: "the app's own limpet does not fit this command: {app} (version {appVersion}) and {own} (version {ownVersion}); run npx limpet in the app's folder, or install one version for both",
  },
  LIMPET_NO_NODE: {
    fault: 'cluster',
    retryable: true,
    status: 503,
    text: 'no node is ready for this request; nothing was executed',
  },
  LIMPET_OVERLOADED: {
    fault: 'cluster',
    retryable: true,
    status: 503,
    text: 'too many requests are waiting; nothing was executed',
  },
  LIMPET_NOT_EXECUTED: {
    fault: 'cluster',
    retryable: true,
    status: 503,
    text: 'the request could not be placed in time; nothing was executed',
  },
  LIMPET_UNKNOWN: {
    fault: 'cluster',
    retryable: false,
    status: 502,
    text: 'the node died while it worked on this request: it cannot be told whether your last step was carried out; look before you repeat it',
  },
  LIMPET_NO_ANSWER: {
    fault: 'app',
    retryable: false,
    status: 504,
    text: 'no answer in time: it cannot be told whether your last step was carried out; look before you repeat it',
  },
  LIMPET_EXECUTED: {
    fault: 'cluster',
    retryable: false,
    status: 502,
    text: 'the request was carried out, but its answer is lost; look before you repeat it',
  },
  LIMPET_GONE: {
    fault: 'client',
    retryable: false,
    status: 409,
    text: 'the session ended while this request ran: its changes were not kept',
  },
  LIMPET_REFUSED: {
    fault: 'app',
    retryable: true,
    status: 503,
    text: 'earlier requests like this one ended nodes of the cluster: refused for a while; nothing was executed',
  },
  LIMPET_BAD_REQUEST: { fault: 'client', retryable: false, status: 400, text: 'bad request: {what}' },
  LIMPET_KEY_MALFORMED: {
    fault: 'client',
    retryable: false,
    status: 400,
    text: 'the Idempotency-Key {what}: send one key of 1 to 255 visible ASCII characters; nothing was executed',
  },
  LIMPET_KEY_RUNNING: {
    fault: 'client',
    retryable: true,
    status: 409,
    text: 'the first request with this Idempotency-Key is still running: repeat it a little later, with the same key',
  },
  LIMPET_KEY_REUSED: {
    fault: 'client',
    retryable: false,
    status: 422,
    text: 'this Idempotency-Key was sent before with another request (method, target or body): take a new key for a new request; nothing was executed',
  },
  LIMPET_METHOD: { fault: 'client', retryable: false, status: 405, text: 'the method {method} is not served' },
  LIMPET_METHOD_UNKNOWN: { fault: 'client', retryable: false, status: 501, text: 'the method is not known here' },
  LIMPET_TARGET_TOO_LONG: { fault: 'client', retryable: false, status: 414, text: 'the request target is too long' },
  LIMPET_LOOP: {
    fault: 'app',
    retryable: false,
    status: 508,
    text: 'the request has passed this cluster before (its Via says so): what the app sends it on to leads back here; nothing was executed',
  },
  LIMPET_WEBSOCKET_VERSION: {
    fault: 'client',
    retryable: false,
    status: 426,
    text: 'only version 13 of the WebSocket protocol is served',
  },
  LIMPET_REQUEST_TIMEOUT: {
    fault: 'client',
    retryable: true,
    status: 408,
    text: 'the request did not arrive in time; nothing was executed',
  },
  LIMPET_EXPECTATION: { fault: 'client', retryable: false, status: 417, text: 'only Expect: 100-continue is served' },
  LIMPET_HEADERS_TOO_LARGE: {
    fault: 'client',
    retryable: false,
    status: 431,
    text: 'the request headers are too large or too many',
  },
  LIMPET_HTTP_VERSION: {
    fault: 'client',
    retryable: false,
    status: 505,
    text: 'only HTTP/1.0 and HTTP/1.1 are served',
  },
  LIMPET_PORT_IN_USE: {
    fault: 'operator',
    retryable: true,
    status: null,
    text: 'port {port} on {host} is in use by another program: stop that one, or choose another port with {option}',
  },
  LIMPET_PORT_REFUSED: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'cannot listen on {host} port {port} ({why}): choose another with {option}',
  },
  LIMPET_NO_SHARED_PORT: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'Node {version} cannot bind a port without accepting on it (net._createServerHandle is missing): use a Node version that Limpet names in its README',
  },
  LIMPET_RUN_DIRECTORY_IN_USE: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'a cluster is running in {dir} (process {pid}): stop it with `limpet stop`, or choose another directory with --run-dir',
  },
  LIMPET_ORPHANS: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'processes of an earlier cluster still run in {dir} ({names}) and cannot be taken over on this system: end them with `limpet stop` first',
  },
  LIMPET_OTHER_KEYS: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the processes running in {dir} have other session keys than this start: give it the secrets they were started with (--secret-file, or the file "keys" of the run directory), or end them with `limpet stop`',
  },
  LIMPET_RUN_DIRECTORY: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the run directory {dir} cannot be used: {why}; choose another with --run-dir',
  },
  LIMPET_SECRET_FILE: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the secret file {file} is refused: {why}',
  },
  LIMPET_TLS: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the TLS file {file} is refused: {why}',
  },
  LIMPET_ALL_NODES_FAILED: {
    fault: 'app',
    retryable: false,
    status: null,
    text: 'no node could be started with {app}: {reason}',
  },
  LIMPET_BALANCER_FAILED: {
    fault: 'cluster',
    retryable: false,
    status: null,
    text: 'balancer {name} could not be started: {reason}; its output is in {log}',
  },
  LIMPET_UNSUPERVISED: {
    fault: 'cluster',
    retryable: false,
    status: null,
    text: 'the supervisor of the cluster in {dir} is gone; still serving without it: {names}; `limpet start` takes them over, `limpet stop` ends them',
  },
  LIMPET_NO_CLUSTER: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'no cluster runs in {dir}: start one with `limpet start`, or name its directory with --run-dir',
  },
  LIMPET_DRILL: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the drill cannot go on: {why}',
  },
  LIMPET_UNKNOWN_NODE: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'there is no node "{node}": the nodes are {nodes}',
  },
  LIMPET_LAST_NODE: {
    fault: 'operator',
    retryable: true,
    status: null,
    text: 'node {node} stays: without it nobody would serve; let another node join first (`limpet scale`, `limpet undrain`)',
  },
  LIMPET_NODE_DRAINED: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'node {node} is drained and has nothing to be restarted: `limpet undrain {node}` starts it',
  },
  LIMPET_NODE_DOWN: {
    fault: 'operator',
    retryable: true,
    status: null,
    text: 'node {node} has no running process at the moment: see `limpet status`',
  },
  LIMPET_STILL_ALIVE: {
    fault: 'operator',
    retryable: true,
    status: null,
    text: 'node {node} got {signal} and still runs after {ms} ms: its app seems to handle that signal; SIGKILL cannot be handled',
  },
  LIMPET_BAD_COMMAND: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the cluster refused the command: {why}',
  },
  LIMPET_SESSION_OPTION: { fault: 'app', retryable: false, status: null, text: 'session(): {problems}' },
  LIMPET_RESERVED_NAME: {
    fault: 'app',
    retryable: false,
    status: 500,
    text: '"{name}" cannot be a session attribute: the name {why}; choose another',
  },
  LIMPET_HANDED_OVER: {
    fault: 'cluster',
    retryable: false,
    status: 502,
    text: 'the session moved to another node while this request ran: whether its change is saved cannot be known; look before you repeat',
  },
  LIMPET_MOVED: {
    fault: 'cluster',
    retryable: true,
    status: 421,
    text: 'the session moved to another node before it was loaded: nothing was executed here, and the request is sent there',
  },
  LIMPET_REPEATED: {
    fault: 'cluster',
    retryable: false,
    status: 502,
    text: 'another attempt of this request has already been carried out: its change is not made again',
  },
  LIMPET_RUN_INVALID: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'the variable {variable} is for processes that limpet starts, and cannot be read here: remove it from the environment',
  },
  LIMPET_NO_SUPERVISOR: {
    fault: 'operator',
    retryable: false,
    status: null,
    text: 'no supervisor has answered on {path} within {ms} ms: the worker ends',
  },
  LIMPET_APP_TLS: {
    fault: 'app',
    retryable: false,
    status: null,
    text: 'the app listens with {module} on port {port}, but behind limpet it is reached over plain HTTP/1.1: use http.createServer here (the balancer can speak TLS to the clients)',
  },
  LIMPET_APP_CLUSTER: {
    fault: 'app',
    retryable: false,
    status: null,
    text: 'the app calls fork() of node:cluster, but limpet already runs it in several processes: call listen() directly when process.env.LIMPET_NODE is set',
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
