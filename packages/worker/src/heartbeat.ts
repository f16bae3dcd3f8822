import { beatMs, suspectMs } from '@limpet/core';
import { isListeningHere } from './debugger-port.ts';
import { type Pulse, readPulse } from './pulse.ts';

/** How often a blocked loop's process is asked whether a debugger has been opened on it, in milliseconds. */
const lookEveryMs = 1_000;

/**
 * Sends what the app's loop shows, every `beatMs`, from the thread it is called on (P8). `debuggerPort`: where SIGUSR1
 * opens the inspector. It holds no rules: how long a loop may stand is decided by whoever hears the beats. Returns its timer.
 */
export function startHeartbeat(
  shared: SharedArrayBuffer,
  debuggerPort: number,
  send: (pulse: Pulse) => void,
): NodeJS.Timeout {
  let turns = 0;
  let turnedAtMs = performance.now();
  let lookedAtMs = 0;
  let isOpened = false;
  return setInterval(() => {
    const nowMs = performance.now();
    const pulse = readPulse(shared);
    if (pulse.turns !== turns) {
      turns = pulse.turns;
      turnedAtMs = nowMs;
      // From here on the loop says it itself.
      isOpened = false;
    } else if (!pulse.inspected && nowMs - turnedAtMs >= suspectMs && nowMs - lookedAtMs >= lookEveryMs) {
      lookedAtMs = nowMs;
      void isListeningHere(debuggerPort).then((isOpen) => {
        isOpened = isOpen && readPulse(shared).turns === turns;
      });
    }
    send({ turns: pulse.turns, inspected: pulse.inspected || isOpened });
  }, beatMs);
}
