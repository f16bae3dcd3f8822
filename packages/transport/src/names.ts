/** Words that messages are full of: property names and kinds. At most 256; unknown words are spelled out. */
export const names: readonly string[] = (
  'kind id view term number previous version by mark buried commit request ordinal change set remove destroy carries ' +
  'answer create createdAt expiresAt bury at record attributes deleted log state commits committed carried write ack ' +
  'digest confirmed delivered requests claim relay message need claimed custody running heir offer ids taken demoted ' +
  'swept finished demote relayed from forward confirm forwarded sequence verdict safe refused gone member node ' +
  'incarnation touched touchedAt touch key keys'
).split(' ');
