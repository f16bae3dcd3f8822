import {
  type BetweenApps,
  type Commit,
  type FromCopySide,
  formatViewNumber,
  type ToCopySide,
  unreachable,
  type View,
} from '@limpet/core';
import { decode } from '@limpet/session';
import type { Names } from './names.ts';

/** Messages and views in the words of PROTOCOL's rules. Null: said so often that it would only hide the story. */

export function sayToCopySide(message: ToCopySide, names: Names): string | null {
  switch (message.kind) {
    case 'write':
      return `write ${names.nameOf(message.id)} v${message.mark.version} by ${sayCommit(message.commit, names)}`;
    case 'record': {
      const { id, mark, deleted } = message.record;
      const buried = message.buried.map((old) => `, the tombstone of ${names.nameOf(old.id)}`);
      return `the whole of ${names.nameOf(id)} v${mark.version}${deleted ? ', a tombstone' : ''}${buried.join('')}`;
    }
    case 'digest':
      return `do you hold ${names.nameOf(message.id)} v${message.mark.version}?`;
    case 'confirmed':
      return `${names.nameOf(message.id)} is held where it belongs`;
    case 'claim':
      return `who holds ${names.nameOf(message.id)}?`;
    case 'relay':
      return sayBetweenApps(message.message, names);
    case 'delivered':
    case 'touched':
      return null;
    default:
      return unreachable(message);
  }
}

export function sayFromCopySide(message: FromCopySide, names: Names): string {
  switch (message.kind) {
    case 'ack':
      return `acknowledges ${names.nameOf(message.id)} v${message.version}`;
    case 'need':
      return `needs the whole of ${names.nameOf(message.id)}`;
    case 'claimed': {
      const { record, custody, running } = message;
      const from = custody === null ? '' : ` of view ${formatViewNumber(custody)}`;
      const held =
        record === null ? 'nothing' : `v${record.mark.version}${record.deleted ? ', a tombstone,' : ''}${from}`;
      const still =
        running.length === 0 ? '' : `; ${running.map((id) => names.requestName(id)).join(' ')} still runs here`;
      return `holds ${held} of ${names.nameOf(message.id)}${still}`;
    }
    case 'offer':
      return `offers ${message.ids.map((id) => names.nameOf(id)).join(' ')}`;
    default:
      return unreachable(message);
  }
}

function sayBetweenApps(message: BetweenApps, names: Names): string {
  switch (message.kind) {
    case 'forward':
      return `forwards to ${names.nameOf(message.id)}: ${sayCommit(message.commit, names)}`;
    case 'confirm':
      return `asks when ${names.nameOf(message.id)} is safe, for an answer held here`;
    case 'finished':
      return `${names.requestName(message.request)} runs here no longer`;
    case 'forwarded':
      return `answers what was forwarded: ${message.verdict}`;
    default:
      return unreachable(message);
  }
}

function sayCommit({ request, change, destroy, carries, create }: Commit, names: Names): string {
  const set = [...change.set].map(([name, value]) => `${name}=${String(decode(value))}`);
  const what = [
    ...(create === null ? [] : ['new']),
    ...set,
    ...change.remove.map((name) => `without ${name}`),
    ...(destroy ? ['destroyed'] : []),
    ...(carries.length === 0 ? [] : [`carries ${carries.map((id) => names.requestName(id)).join(' ')}`]),
  ];
  return `${names.requestName(request)} (${what.length === 0 ? 'no change' : what.join(', ')})`;
}

export function sayView(view: View): string {
  const parts = [`view ${formatViewNumber(view)}`, `ring ${view.ring.join(' ')}`];
  if (view.next !== null) parts.push(`next ${view.next.join(' ')}`);
  if (view.leaving.length > 0) parts.push(`leaving ${view.leaving.join(' ')}`);
  return parts.join(' · ');
}
