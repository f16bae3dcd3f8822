export { type DialOptions, dial, redialMsMax, redialMsMin } from './dial.ts';
export { encodeFrame, FrameReader, frameBytesMax } from './frame.ts';
export { type Link, type LinkHandlers, lingerMs, queuedBytesMax } from './link.ts';
export { type Listener, type ListenOptions, listen } from './listen.ts';
export { drawNonce, type Greeting, isProof, Prover, prove, Verifier, whoOf } from './proof.ts';
export { checkSocketPath, socketPath, socketPathBytesMax } from './socket-path.ts';
