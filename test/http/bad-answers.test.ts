import { afterAll, beforeAll, expect, test } from 'vitest';
import { badAnswers, type Fate } from './bad-answers.ts';
import { request } from './duties.ts';
import { Oracle } from './oracle.ts';
import { answerWithTarget } from './recording-upstream.ts';
import { type RawClient, Rig } from './rig.ts';
import { tokensOf, valuesOf } from './strict-reader.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
  // Every answer to `/kind/<n>` is bad in its way; to anything else, and to the next request, it is a good one.
  rig.upstream.script = (got, connection) => {
    const kind = badAnswers[Number(/^\/kind\/(\d+)$/.exec(got.target)?.[1] ?? -1)];
    if (kind === undefined) answerWithTarget(got, connection);
    else kind.send(got, connection);
  };
});
afterAll(() => rig.close());

/** What the client has got, as a fate. */
function fateOf(client: RawClient): Fate | string {
  const { finals, rest } = client.answers;
  const [answer] = finals;
  if (answer === undefined) return client.isClosed && rest === 'incomplete' ? 'cut' : client.text;
  const { status, body, fields } = answer;
  if (status !== 502) return { status, body };
  const isOurs =
    valuesOf(fields, 'content-type')[0] === 'application/problem+json' && /LIMPET_(?:UNKNOWN|EXECUTED)/.test(body);
  return isOurs ? 'refused' : client.text;
}

/** One bad answer to a client, then a good request on the same connection, or on a new one where that is closed. */
async function meet(
  at: number,
  method: string,
): Promise<{ fate: Fate | string; next: string | undefined; text: string }> {
  const client = rig.client();
  client.methods.push(method, 'GET');
  client.send(request(`/kind/${at}`, [], method));
  await client.finals(1);
  const fate = fateOf(client);
  const isClosing = client.answers.finals.some(({ fields }) => tokensOf(fields, 'connection').includes('close'));
  if (client.isClosed || isClosing) {
    const { answer } = await rig.ask(request(`/next/${at}`));
    return { fate, next: answer?.body, text: client.text };
  }
  client.send(request(`/next/${at}`));
  return { fate, next: (await client.finals(2))[1]?.body, text: client.text };
}

/** Good requests of others on a connection of their own, until told to stop. Gives how many. */
async function standBy(name: string, isOver: () => boolean): Promise<number> {
  const client = rig.client();
  let asked = 0;
  while (!isOver()) {
    asked += 1;
    client.methods.push('GET');
    client.send(request(`/bystander/${name}/${asked}`));
    const answer = (await client.finals(asked))[asked - 1];
    expect([answer?.status, answer?.body]).toEqual([200, `GET /bystander/${name}/${asked}`]);
  }
  return asked;
}

test('bad answers of a worker, among good ones: each refused, cut or read in its one way; everyone else gets their own', async () => {
  expect(badAnswers).toHaveLength(59);
  let isOver = false;
  const bystanders = ['a', 'b', 'c'].map((name) => standBy(name, () => isOver));
  const met = await Promise.all(badAnswers.map(({ method }, at) => meet(at, method)));
  isOver = true;
  for (const asked of await Promise.all(bystanders)) expect(asked).toBeGreaterThan(0);
  for (const [at, { name, fate }] of badAnswers.entries()) {
    expect([met[at]?.fate, met[at]?.next], name).toEqual([fate, `GET /next/${at}`]);
    expect(met[at]?.text, name).not.toMatch(/EVIL|secret|EXTRA|limpet-(?:request|view|verdict)/i);
  }
  const late = badAnswers.findIndex(({ name }) => name === '1,500 lines, the cookie last');
  expect(met[late]?.text).toContain('\r\nSet-Cookie: late=1\r\n');
  // Whatever connection is still open to the worker, a request on it is what its client sent, and its answer is its own.
  const oracle = new Oracle(rig);
  await oracle.meetVictims();
  oracle.close();
  expect(rig.upstream.connections.filter(({ fault }) => fault !== null)).toEqual([]);
  expect(rig.failures).toEqual([]);
});
