import {
  choice,
  duration,
  durationOrNever,
  networks,
  path,
  paths,
  type Reader,
  routes,
  text,
  whole,
  wholeOrAuto,
  words,
} from './option-readers.ts';

/** Every option with its resolved type. Times are milliseconds, paths absolute. */
export interface Settings {
  readonly nodes: number;
  readonly balancers: number;
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly store: 'buddy' | 'memory';
  readonly copies: number;
  readonly cookie: string;
  readonly sessionHeader: string | null;
  readonly secretFile: string | null;
  readonly keepSessions: 'on' | 'off';
  readonly tlsCert: readonly string[];
  readonly tlsKey: readonly string[];
  readonly trustProxy: readonly string[];
  readonly deadline: number;
  readonly idle: number;
  readonly absolute: number;
  readonly keyLife: number;
  readonly replayable: readonly string[];
  readonly readyTimeout: number;
  readonly drainTime: number;
  readonly hangKill: number;
  readonly orphanTimeout: number;
  readonly nodeArgs: readonly string[];
  readonly envFile: readonly string[];
  readonly log: 'pretty' | 'json' | null;
  readonly config: string | null;
  readonly runDir: string;
}

export type OptionName = keyof Settings;

export interface Option<T> {
  readonly reader: Reader<NonNullable<T>>;
  /** As it would be written; null: not set. */
  readonly byDefault: string | null;
  readonly means: string;
  /** What rises and what falls with it. */
  readonly effect: string;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/;
const host = text('<address>', 'a host name or an IP address', /^[0-9A-Za-z.:_%-]{1,253}$/);
const port = whole(0, 65_535);
const second = 1000;
const hour = 3_600_000;

/**
 * The one table of options: flags, environment variables, configuration keys, validation and help come from it.
 * The key is the name in a configuration file; `flagOf` and `environmentOf` give the other two.
 */
export const options: { readonly [K in OptionName]: Option<Settings[K]> } = {
  nodes: {
    reader: wholeOrAuto(1, 256),
    byDefault: '4',
    means: 'Worker processes that run the app.',
    effect: 'More: a death moves less to each survivor, more memory is used. 1: nothing is copied.',
  },
  balancers: {
    reader: whole(1, 32),
    byDefault: '1',
    means: 'Balancer processes that share the port.',
    effect: 'More: more requests per second on a machine with free cores, fewer connections lost with one of them.',
  },
  port: {
    reader: port,
    byDefault: '8080',
    means: 'Port that clients connect to; 0 takes a free one. The app finds it in PORT.',
    effect: 'Ports below 1024 need privileges.',
  },
  host: {
    reader: host,
    byDefault: '127.0.0.1',
    means: 'Address that the port is opened on.',
    effect: '0.0.0.0 or :: lets other machines in.',
  },
  adminPort: {
    reader: port,
    byDefault: '9090',
    means: 'Port of the status page and the admin API; 0 takes a free one.',
    effect: 'Nothing else depends on it.',
  },
  adminHost: {
    reader: host,
    byDefault: '127.0.0.1',
    means: 'Address that the admin port is opened on.',
    effect: 'Anything but loopback shows the state of the cluster to the network.',
  },
  store: {
    reader: choice('buddy', 'memory'),
    byDefault: 'buddy',
    means: 'Where sessions live: buddy (copied before each answer) or memory (one copy, lost with its node).',
    effect: 'memory saves the copying and loses the sessions of a node that dies.',
  },
  copies: {
    reader: whole(1, 3),
    byDefault: '2',
    means: 'Nodes that hold each session, the primary included; with store buddy.',
    effect: 'More: that many deaths less one may fall together; memory and the cost of a write rise.',
  },
  cookie: {
    reader: text('<name>', "a cookie name (letters, digits and -_.!#$%&'*+^`|~)", token),
    byDefault: 'JSESSIONID',
    means: 'Name of the session cookie.',
    effect: 'A new name makes every client start without a session.',
  },
  sessionHeader: {
    reader: text('<name>', "a header name (letters, digits and -_.!#$%&'*+^`|~)", token),
    byDefault: null,
    means: 'Request header that may carry the session id, for clients without a cookie jar; it goes before the cookie.',
    effect: 'Unset: cookies only.',
  },
  secretFile: {
    reader: path('<file>'),
    byDefault: null,
    means: 'File of session keys, mode 0600, one per line: the first signs, all verify.',
    effect: 'Unset: keys are made at first start and kept in the run directory.',
  },
  keepSessions: {
    reader: choice('on', 'off'),
    byDefault: 'on',
    means: 'Sessions are saved to the run directory when the cluster is stopped, and loaded at the next start.',
    effect: 'off: a stop ends all sessions, and nothing of them is ever on disk.',
  },
  tlsCert: {
    reader: paths,
    byDefault: '',
    means:
      'Certificate for TLS on the port, PEM, with its chain; may be repeated, and each client gets the one for the name it asks for.',
    effect:
      'Set: the port speaks https and session cookies are Secure. Files that are replaced are taken up by themselves.',
  },
  tlsKey: {
    reader: paths,
    byDefault: '',
    means: 'Private key of each --tls-cert, PEM, in the same order.',
    effect: 'It is read by the balancers; keep it readable for their user only.',
  },
  trustProxy: {
    reader: networks,
    byDefault: '',
    means: 'Addresses whose X-Forwarded-* headers are believed; may be repeated.',
    effect: 'More: more machines can choose the client address that the app sees.',
  },
  deadline: {
    reader: duration(100, 600 * second),
    byDefault: '10s',
    means: 'Waiting that Limpet itself may add to a request while a node is replaced.',
    effect: 'Longer: fewer requests fail during trouble, those that do take longer. Keep it above 5s.',
  },
  idle: {
    reader: duration(second, 8760 * hour),
    byDefault: '30m',
    means: 'A session ends after this long without a request.',
    effect: 'Longer: more memory, fewer people signed out.',
  },
  absolute: {
    reader: duration(second, 8760 * hour),
    byDefault: '12h',
    means: 'A session ends this long after it began, whatever happens.',
    effect: 'Longer: a stolen cookie is of use for longer.',
  },
  keyLife: {
    reader: duration(second, 8760 * hour),
    byDefault: '24h',
    means:
      'How long the answer of a request with an Idempotency-Key is kept in its session, and never longer than the session.',
    effect: 'Longer: a repetition is answered and not run again for longer, more memory.',
  },
  replayable: {
    reader: routes,
    byDefault: '',
    means:
      'Routes whose requests may be run again when their node dies, like GET: "POST /cart/*" (* is one segment of the path, /** at the end is any rest); may be repeated.',
    effect: 'More: fewer answers 502 unknown; whatever such a handler does outside its session may happen twice.',
  },
  readyTimeout: {
    reader: duration(100, 3600 * second),
    byDefault: '60s',
    means: 'Time the app may take from its start to listening.',
    effect: 'Longer: a start that hangs is noticed later.',
  },
  drainTime: {
    reader: duration(0, 3600 * second),
    byDefault: '30s',
    means: 'Time in which a node that is drained ends: its requests finish, its WebSockets are closed evenly over it.',
    effect: 'Longer: fewer clients connect anew at once, longer requests are not cut; a rolling restart takes longer.',
  },
  hangKill: {
    reader: durationOrNever(2 * second, 3600 * second),
    byDefault: '30s',
    means: 'A node whose event loop has been blocked for so long is killed, and its sessions go on at their buddies.',
    effect: 'Longer: users of a hung node wait longer. Never while a debugger is open. 0: never.',
  },
  orphanTimeout: {
    reader: durationOrNever(second, 8760 * hour),
    byDefault: '10m',
    means: 'Time after which workers and balancers whose supervisor is gone end themselves; 0: never.',
    effect: 'Longer: more time to start the supervisor again before users notice.',
  },
  nodeArgs: {
    reader: words,
    byDefault: '',
    means: 'Arguments for node itself, before the app file.',
    effect: '"--max-old-space-size=512" for instance limits the memory of each worker.',
  },
  envFile: {
    reader: paths,
    byDefault: '',
    means: 'File of environment variables for the app, as for node; may be repeated, later ones win.',
    effect: 'A variable that is already set is never replaced.',
  },
  log: {
    reader: choice('pretty', 'json'),
    byDefault: null,
    means: 'Lines for people, or JSON.',
    effect: 'Unset: pretty on a terminal, json elsewhere.',
  },
  config: {
    reader: path('<file>'),
    byDefault: null,
    means: 'Configuration file, .json or .mjs.',
    effect: 'Unset: limpet.config.json or limpet.config.mjs in the working directory, if there is one.',
  },
  runDir: {
    reader: path('<folder>'),
    byDefault: '.limpet',
    means: 'Run directory: sockets, keys, output files. All commands find the cluster through it.',
    effect: 'A second cluster on the machine needs a second one.',
  },
};

export const optionNames = Object.keys(options) as readonly OptionName[];

/** `adminPort` → `--admin-port`. */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** `adminPort` → `LIMPET_ADMIN_PORT`. */
export const environmentOf = (name: string): string =>
  `LIMPET_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
