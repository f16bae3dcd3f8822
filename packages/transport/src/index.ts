export { Certificates, stampOf, tlsVersionMin } from './certificates.ts';
export { type DialOptions, dial, redialMsMax, redialMsMin } from './dial.ts';
export { encodeFrame, FrameReader, frameBytesMax } from './frame.ts';
export { type Link, type LinkHandlers, lingerMs, queuedBytesMax } from './link.ts';
export { type Listener, type ListenOptions, listen } from './listen.ts';
export { drawNonce, type Greeting, isProof, Prover, prove, Verifier, whoOf } from './proof.ts';
export {
  draftOf,
  headerBytes as sessionFileHeaderBytes,
  isSessionFileName,
  type ParsedHeader,
  parseHeader as parseSessionFileHeader,
  type SessionFileHeader,
  sessionFileFormat,
  sessionFileName,
} from './session-file.ts';
export { type ReadOutcome, readSessionFile } from './session-file-reader.ts';
export { type SavedEntry, type WriteOptions, type WriteOutcome, writeSessionFile } from './session-file-writer.ts';
export { checkSocketPath, socketPath, socketPathBytesMax } from './socket-path.ts';
