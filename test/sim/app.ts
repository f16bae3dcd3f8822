import type { Scheduler } from './scheduler.ts';
import type { Exchange, Loose } from './service.ts';

/**
 * The app that runs in every worker: reads and writes several attributes, works for a while in between, commits more than
 * once, and does to sessions what apps do. Nothing in it knows of Limpet.
 */
export async function handle(exchange: Exchange, scheduler: Scheduler): Promise<void> {
  const { ask } = exchange.wire;
  const found = (exchange.session?.['birth'] as string | undefined) ?? null;
  const work = (share: number) =>
    new Promise<void>((resolve) => {
      if (ask.workMs === 0) resolve();
      else scheduler.at(ask.workMs * share, scheduler.current, resolve);
    });
  const say = () => exchange.respond(exchange.bodyOf(found));
  switch (ask.kind) {
    case 'read':
      await work(0.5);
      return say();
    case 'bare':
      // Touches nothing of the session until the answer is written.
      await work(1);
      return say();
    case 'append':
      append(exchange, 'log', ask.tag);
      await work(1);
      return say();
    case 'other':
      append(exchange, 'other', ask.tag);
      await work(1);
      return say();
    case 'appendTwice':
      append(exchange, 'log', ask.tag);
      await work(1);
      append(exchange, 'log', `${ask.tag}+`);
      return say();
    case 'put': {
      const { session } = exchange;
      await work(1);
      if (session !== null) {
        born(session, ask.tag, exchange.worker.world.settings.ballast);
        session['put'] = ask.tag;
        if (!(session['log'] as string[] | undefined)?.includes(ask.tag)) append(exchange, 'log', ask.tag);
      }
      return say();
    }
    case 'save':
      append(exchange, 'log', ask.tag);
      await exchange.session?.save();
      await work(1);
      append(exchange, 'log', `${ask.tag}+`);
      return say();
    case 'stream':
      append(exchange, 'log', ask.tag);
      if (await exchange.piece(exchange.bodyOf(found))) {
        await work(1);
        append(exchange, 'log', `${ask.tag}+`);
        await exchange.piece(exchange.bodyOf(found));
      }
      return exchange.finishStream();
    case 'renew':
      append(exchange, 'log', ask.tag);
      await exchange.session?.renew();
      await work(1);
      return say();
    case 'regenerate':
      await work(1);
      await exchange.session?.regenerate();
      append(exchange, 'log', ask.tag);
      return say();
    case 'destroy':
      await work(1);
      await exchange.session?.destroy();
      return say();
    case 'crash':
      append(exchange, 'log', ask.tag);
      await work(1);
      if (!exchange.worker.world.mayKill(1)) return say();
      exchange.worker.world.count('crash');
      exchange.worker.world.watch.ends(exchange.wire);
      exchange.worker.process.die('self', 'exit 1', exchange.worker.running.list());
  }
}

/** A session tells its descent: the name it got with its first change. */
function born(session: Loose, tag: string, ballast: number): void {
  if (session['birth'] !== undefined) return;
  session['birth'] = tag;
  if (ballast > 0) session['ballast'] = 'x'.repeat(ballast);
}

function append({ session, worker }: Exchange, name: 'log' | 'other', tag: string): void {
  if (session === null) return;
  born(session, tag, worker.world.settings.ballast);
  const list = session[name] as string[] | undefined;
  if (list === undefined) session[name] = [tag];
  else list.push(tag);
  if (name === 'log') session['count'] = (session[name] as string[]).length;
}
