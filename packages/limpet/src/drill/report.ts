import { cpus } from 'node:os';
import { type FaultKind, faultKinds, faultMeanings } from './fault-kinds.ts';
import type { FaultRecord } from './faults.ts';
import { type DrillResult, isPassed } from './run.ts';
import { Samples, type Times } from './samples.ts';

export interface FaultFigures {
  readonly kind: FaultKind;
  readonly faults: number;
  readonly kills: number;
  readonly firstSuccess: Times | null;
  readonly settled: Times | null;
  /** Writes that were not acknowledged from this fault to the next: of unknown end, run without an answer, refused. */
  readonly unacknowledged: Readonly<Record<'unknown' | 'ran' | 'refused', number>>;
}

/** Where the time of a worker's death goes, as the cluster and the machine's clock tell it. */
export interface DeathFigures {
  /** From the signal to the proof. */
  readonly detected: Times | null;
  /** From the proof until the next view was on disk and sent. */
  readonly published: Times | null;
  /** Of that, writing the view to disk with its two fsyncs. */
  readonly disk: Times | null;
  /** From the proof until the cluster's own probe was served. */
  readonly probe: Times | null;
  /** Until every session had all its copies. */
  readonly copies: Times | null;
  /** Until the node was back. */
  readonly back: Times | null;
}

export interface Report {
  readonly passed: boolean;
  readonly seed: number;
  readonly machine: { readonly node: string; readonly processors: number; readonly platform: string };
  readonly cluster: {
    readonly nodes: number;
    readonly balancers: number;
    readonly copies: number;
    readonly app: string;
  };
  readonly load: { readonly sessions: number; readonly connections: number; readonly rate: number };
  readonly seconds: number;
  readonly kills: number;
  /** As many were asked for, null: as many as the time allowed. */
  readonly killsWanted: number | null;
  readonly requestsWanted: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly latencyMs: Times | null;
  readonly failedIdempotent: number;
  readonly lostWrites: number;
  readonly doubledEffects: number;
  readonly lostSessions: number;
  readonly otherAnomalies: number;
  readonly undecided: number;
  readonly acknowledged: number;
  readonly keyed: number;
  readonly unknown: number;
  readonly executed: number;
  readonly refused: number;
  readonly cutByBalancer: number;
  readonly metTwoDeaths: number;
  readonly checked: number;
  readonly sessions: number;
  readonly firstSuccessMs: Times | null;
  readonly faults: readonly FaultFigures[];
  readonly deaths: DeathFigures;
  /** How the workers ended that died, and how often. */
  readonly endings: Readonly<Record<string, number>>;
  /** The most memory that the drill itself has had, in bytes: its checker must not grow with the requests. */
  readonly memoryBytes: number;
  /** With 95 % confidence no more often than this per kill, where none was seen in so many. */
  readonly ruleOfThree: number | null;
  readonly trouble: string | null;
  readonly notes: readonly string[];
  readonly evidence: readonly unknown[];
}

const timesOf = (values: readonly (number | null)[]): Times | null => {
  const samples = new Samples();
  for (const value of values) if (value !== null) samples.add(value);
  return samples.summary();
};

/** The figures of a drill. */
export function describeDrill(result: DrillResult): Report {
  const { plan, tally, faults, seconds, kills, nodes, balancers, copies } = result;
  const reports = faults.flatMap((fault) => fault.reports);
  const { notes, evidence, latency, unacknowledged, isWhole: _, ...counts } = tally;
  const workers = faults.filter(({ kind }) => kind === 'kill' || kind === 'double');
  return {
    passed: isPassed(result),
    seed: plan.seed,
    machine: { node: process.version, processors: cpus().length, platform: `${process.platform} ${process.arch}` },
    cluster: { nodes, balancers, copies, app: plan.app },
    load: { sessions: plan.sessions, connections: plan.connections, rate: plan.rate },
    seconds,
    kills,
    killsWanted: plan.kills,
    requestsWanted: plan.requests,
    requestsPerSecond: tally.requests / seconds,
    latencyMs: latency.summary(),
    ...counts,
    firstSuccessMs: timesOf(workers.map(({ firstSuccessMs }) => firstSuccessMs)),
    faults: faultKinds.flatMap((kind) => describeKind(kind, result)),
    deaths: {
      detected: timesOf(reports.map(({ detectedMs }) => detectedMs)),
      published: timesOf(reports.map(({ report }) => report.publishedMs)),
      disk: timesOf(reports.map(({ report }) => report.diskMs)),
      probe: timesOf(reports.map(({ report }) => report.servedAfterMs)),
      copies: timesOf(reports.map(({ report }) => report.copiesAfterMs)),
      back: timesOf(reports.map(({ report }) => report.backAfterMs)),
    },
    endings: countEndings(reports.map(({ report }) => report.how)),
    memoryBytes: process.resourceUsage().maxRSS * 1024,
    ruleOfThree: kills > 0 ? 3 / kills : null,
    trouble: result.trouble,
    notes,
    evidence,
  };
}

function countEndings(how: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const one of how) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
}

function describeKind(kind: FaultKind, { faults, tally }: DrillResult): readonly FaultFigures[] {
  const own = faults.filter((fault) => fault.kind === kind);
  if (own.length === 0) return [];
  return [
    {
      kind,
      faults: own.length,
      kills: own.reduce((sum, { kills }) => sum + kills, 0),
      firstSuccess: timesOf(own.map(({ firstSuccessMs }) => firstSuccessMs)),
      settled: timesOf(own.map(({ settledMs }) => settledMs)),
      unacknowledged: tally.unacknowledged.get(kind) ?? { unknown: 0, ran: 0, refused: 0 },
    },
  ];
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : whole(value));
const times = (value: Times | null): readonly string[] =>
  value === null ? ['–', '–', '–'] : [ms(value.p50), ms(value.p99), ms(value.max)];

type Row = readonly string[];

const zeroRows = (report: Report): readonly Row[] => [
  ['failed idempotent requests', whole(report.failedIdempotent)],
  ['lost acknowledged writes', whole(report.lostWrites)],
  ['doubled effects', whole(report.doubledEffects)],
  ['lost sessions', whole(report.lostSessions)],
  ['other impossible answers', whole(report.otherAnomalies)],
  ['answers that could not be checked', whole(report.undecided)],
];

const countRows = (report: Report): readonly Row[] => [
  ['requests', whole(report.requests)],
  ['requests per second', whole(report.requestsPerSecond)],
  ['acknowledged writes', whole(report.acknowledged)],
  ['of these under an Idempotency-Key', whole(report.keyed)],
  ['answers checked', whole(report.checked)],
  ['sessions', whole(report.sessions)],
  ['writes of unknown end', whole(report.unknown)],
  ['writes that ran without an answer', whole(report.executed)],
  ['writes refused as not executed', whole(report.refused)],
  ['exchanges that ended with a balancer', whole(report.cutByBalancer)],
  ['GETs that met two deaths at once: 502', whole(report.metTwoDeaths)],
];

const faultRows = (report: Report): readonly Row[] =>
  report.faults.map(({ kind, faults, kills, firstSuccess, settled, unacknowledged }) => [
    faultMeanings[kind],
    whole(faults),
    whole(kills),
    ...times(firstSuccess),
    ms(settled?.p50 ?? 0),
    whole(unacknowledged.unknown),
    whole(unacknowledged.ran),
  ]);

const deathRows = ({ deaths }: Report): readonly Row[] =>
  (
    [
      ['signal to proof of death', deaths.detected],
      ['proof to the next view on disk and sent', deaths.published],
      ['of that: writing the view, two fsyncs', deaths.disk],
      ["proof to the cluster's own probe served", deaths.probe],
      ['proof to all copies complete', deaths.copies],
      ['proof to the node being back', deaths.back],
    ] as const
  ).map(([name, value]) => [name, ...times(value)]);

function verdict(report: Report): string {
  if (report.trouble !== null) return `the drill could not be finished: ${report.trouble}`;
  const { kills, killsWanted, requests, requestsWanted } = report;
  if (killsWanted !== null && kills < killsWanted)
    return `NOT PASSED: only ${whole(kills)} of ${whole(killsWanted)} kills were made in the given time`;
  if (requests < requestsWanted)
    return `NOT PASSED: only ${whole(requests)} of ${whole(requestsWanted)} requests were made in the given time`;
  if (!report.passed) return 'NOT PASSED';
  const most =
    report.ruleOfThree === null
      ? ''
      : `: with 95 % confidence less often than ${report.ruleOfThree.toFixed(4)} times per kill`;
  return `passed: each zero rests on ${whole(report.kills)} kills${most}`;
}

const about = ({ cluster, load, seconds, seed, machine }: Report): string =>
  `${cluster.nodes} nodes, ${cluster.balancers} balancers, ${cluster.copies} copies; ${load.sessions} sessions over ${load.connections} connections, at most ${load.rate} requests/s; ${seconds.toFixed(0)} s; seed ${seed}; Node ${machine.node}, ${machine.processors} processors, ${machine.platform}`;

const endingLine = ({ endings }: Report): string => {
  const parts = Object.entries(endings).sort(([, a], [, b]) => b - a);
  return `how the workers ended: ${parts.map(([how, count]) => `${how} ${whole(count)}`).join(' · ') || 'none did'}`;
};

const memoryLine = ({ memoryBytes, sessions }: Report): string =>
  `the drill itself needed ${whole(memoryBytes / 1_048_576)} MiB at most, for ${whole(sessions)} sessions and their histories`;

const faultHead = [
  'fault',
  'faults',
  'kills',
  'first success p50',
  'p99',
  'max',
  'settled p50',
  'unknown',
  'ran, no answer',
];
const deathHead = ['of every worker that died, ms', 'p50', 'p99', 'max'];

/** For people, on a terminal. */
export function formatReport(report: Report): string {
  const block = (rows: readonly Row[]): readonly string[] => {
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
    return rows.map(
      (row) =>
        `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')}`,
    );
  };
  return [
    about(report),
    ...block([...countRows(report), ...zeroRows(report)]),
    '',
    'milliseconds from the fault to the first success of one of its users',
    ...block([faultHead, ...faultRows(report)]),
    '',
    ...block([deathHead, ...deathRows(report)]),
    '',
    endingLine(report),
    memoryLine(report),
    ...(report.notes.length > 0 ? ['', ...report.notes.map((note) => `  ! ${note}`)] : []),
    ...report.evidence.slice(0, 3).map((evidence) => `  ! ${JSON.stringify(evidence)}`),
    '',
    verdict(report),
  ].join('\n');
}

/** For `docs/`. */
export function formatMarkdown(report: Report): string {
  const table = (head: Row, rows: readonly Row[]): string =>
    [head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows]
      .map((row) => `| ${row.join(' | ')} |`)
      .join('\n');
  const notes = report.notes.length > 0 ? `\nNotes:\n\n${report.notes.map((note) => `- ${note}`).join('\n')}\n` : '';
  return `# Failure drill

${about(report)}

${verdict(report)}

${table(['what', 'count'], [...countRows(report), ...zeroRows(report)])}

Milliseconds from the fault to the first success of one of its users:

${table(faultHead, faultRows(report))}

${table(deathHead, deathRows(report))}

${endingLine(report)}. ${memoryLine(report)}.
${notes}`;
}

/** One line after a fault. */
export const formatProgress = (
  { tally, kills, seconds }: Pick<DrillResult, 'tally' | 'kills' | 'seconds'>,
  last: FaultRecord,
): string => {
  const first = last.firstSuccessMs === null ? '' : ` · first success ${ms(last.firstSuccessMs)} ms`;
  const bad =
    tally.failedIdempotent + tally.lostWrites + tally.doubledEffects + tally.lostSessions + tally.otherAnomalies;
  return `${seconds.toFixed(0).padStart(4)} s · ${whole(kills)} kills · ${whole(tally.requests)} requests · ${bad === 0 ? 'nothing lost' : `${bad} WRONG`} · ${last.kind} ${last.victims.join(' ')}${first} · settled ${ms(last.settledMs)} ms`;
};
