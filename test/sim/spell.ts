import {
  type FromCopySide,
  type FromOwnKeeper,
  formatViewNumber,
  type SessionId,
  type ToCopySide,
  type ToOwnKeeper,
  type ViewNumber,
} from '@limpet/core';

/** The end of a session id: enough to tell the few of a world apart. */
export const short = (id: SessionId): string => id.slice(-4);

/** A message between sides of members, for people. */
export function spell(message: ToCopySide | FromCopySide | ToOwnKeeper | FromOwnKeeper): string {
  const view = 'view' in message ? ` in ${formatViewNumber(message.view as ViewNumber)}` : '';
  const id = 'id' in message ? ` ${short(message.id)}` : '';
  switch (message.kind) {
    case 'write':
      return `write${id} v${message.mark.version} by ${message.commit.request.slice(-4)}${view}`;
    case 'record':
      return `record ${short(message.record.id)} v${message.record.mark.version}${message.record.deleted ? ' deleted' : ''}${message.buried.map((record) => ` burying ${short(record.id)}`).join('')}${view}`;
    case 'digest':
      return `digest${id} v${message.mark.version}${view}`;
    case 'ack':
      return `ack${id} v${message.version}${view}`;
    case 'claimed': {
      const held = message.record === null ? 'nothing' : `v${message.record.mark.version}`;
      return `claimed${id} ${held} of ${message.custody === null ? '-' : formatViewNumber(message.custody)}${view}`;
    }
    case 'offer':
      return `offer ${message.ids.map(short).join(' ')}${view}`;
    case 'demoted':
      return `demoted${id} ${message.record === null ? 'nothing' : `v${message.record.mark.version}`} running ${message.running.length}${view}`;
    case 'relay':
    case 'relayed': {
      const inner = message.message;
      return `${message.kind} ${inner.kind}${'sequence' in inner ? ` #${inner.sequence}` : ''}`;
    }
    default:
      return `${message.kind}${id}${view}`;
  }
}
