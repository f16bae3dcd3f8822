import { fileURLToPath } from 'node:url';
import type { Launch } from './launch.ts';
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
      LIMPET_RUN: runVariable(places, { role: 'worker', name: slot.id, incarnation: slot.incarnation }),
    },
    logFd: slot.output.fd,
    fds: [],
  };
}

/** How a balancer is started: the listening socket is its descriptor 3. */
export function balancerLaunch(
  places: Places,
  place: { readonly name: string; readonly incarnation: number; readonly logFd: number; readonly listenFd: number },
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
      LIMPET_RUN: runVariable(places, { role: 'balancer', name, incarnation }),
    },
    logFd: place.logFd,
    fds: [place.listenFd],
  };
}

/** Who the process is and where the sockets are. No secret ever: the environment of a process is easy to read. */
const runVariable = (places: Places, who: object): string => JSON.stringify({ ...who, sockets: places.sockets });
