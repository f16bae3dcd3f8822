import { fileURLToPath } from 'node:url';
import type { Launch } from './launch.ts';
import { runVariableName } from './left-processes.ts';
import type { Places } from './places.ts';
import type { Slot } from './slot.ts';

/** Request heads up to this size reach the app: the balancer has its own, lower bound. */
const headBytesMax = 65_536;
/** The label of the only version there is, until there are several. */
export const appVersion = 'v1';

/** How a worker is started: the user's app as it is, with the preload in front of it. */
export function workerLaunch(places: Places, slot: Slot, publicPort: number): Launch {
  const { app } = places.options;
  return {
    name: slot.id,
    role: 'worker',
    incarnation: slot.incarnation,
    argv: [
      ...app.nodeArgs,
      `--max-http-header-size=${headBytesMax}`,
      '--import',
      app.preload.href,
      app.file,
      ...app.args,
    ],
    cwd: app.cwd,
    env: {
      ...process.env,
      ...app.env,
      LIMPET_NODE: slot.id,
      LIMPET_APP_VERSION: appVersion,
      NODE_APP_INSTANCE: String(slot.index),
      PORT: String(publicPort),
      [runVariableName]: runVariable(places, { role: 'worker', name: slot.id, incarnation: slot.incarnation }),
    },
    logFd: slot.output.fd,
    fds: [],
  };
}

/** How a balancer is started; `Port` gives it the listening socket as its descriptor 3. */
export function balancerLaunch(
  places: Places,
  place: { readonly name: string; readonly incarnation: number; readonly logFd: number },
): Launch {
  const { name, incarnation } = place;
  return {
    name,
    role: 'balancer',
    incarnation,
    argv: [`--max-http-header-size=${headBytesMax}`, fileURLToPath(places.options.balancer.entry)],
    // Not the app's folder: an app that is moved or unmounted takes no balancer with it.
    cwd: places.run.path,
    env: {
      ...process.env,
      [runVariableName]: runVariable(places, { role: 'balancer', name, incarnation }),
    },
    logFd: place.logFd,
    fds: [],
  };
}

/** The name of the process that keeps the port open, in the process table and on its output file. */
export const holderName = 'holder';

/** How the holder of the port is started: the balancer's program in another role. */
export function holderLaunch(places: Places, incarnation: number, logFd: number): Launch {
  const what = balancerLaunch(places, { name: holderName, incarnation, logFd });
  const run = runVariable(places, { role: 'holder', name: holderName, incarnation });
  return { ...what, role: 'holder', env: { ...what.env, [runVariableName]: run } };
}

/** Who the process is and where the sockets are. No secret ever: the environment of a process is easy to read. */
const runVariable = (places: Places, who: object): string => JSON.stringify({ ...who, sockets: places.sockets });
