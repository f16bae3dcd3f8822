import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { type CertificateFiles, LimpetError } from '@limpet/core';

/** The oldest version of TLS that is spoken (RFC 8996). */
export const tlsVersionMin = 'TLSv1.2';

const dnsName = /^[A-Za-z0-9._-]{1,253}$/;

interface Loaded {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly context: SecureContext;
  readonly leaf: X509Certificate;
}

/** Certificates with their keys as they were read, and which of them a client gets. */
export class Certificates {
  readonly #loaded: readonly Loaded[];

  /** Throws LIMPET_TLS with the file and what is wrong with it. At least one pair. */
  constructor(files: readonly CertificateFiles[]) {
    this.#loaded = files.map(loadPair);
  }

  /** For clients that name no host, or one that is in no certificate: the first pair. */
  get first(): { readonly cert: Buffer; readonly key: Buffer } {
    const [first] = this.#loaded;
    if (first === undefined) throw new Error('broken invariant: certificates without one');
    return first;
  }

  /**
   * The first certificate that is valid for the name; undefined: none is. The name comes from a stranger, and Node throws
   * at some: only what is a DNS name, and no address, is looked up (RFC 6066 §3, RFC 9525).
   */
  contextFor(name: string): SecureContext | undefined {
    if (!dnsName.test(name)) return undefined;
    return this.#loaded.find(({ leaf }) => leaf.checkHost(name) !== undefined)?.context;
  }
}

/** Changes when one of the files has been written anew or replaced; what cannot be looked at counts as a state of its own. */
export function stampOf(files: readonly CertificateFiles[]): string {
  return files
    .flatMap(({ cert, key }) => [cert, key])
    .map((path) => {
      try {
        const { ino, mtimeMs, size } = statSync(path);
        return `${ino}.${mtimeMs}.${size}`;
      } catch {
        return 'none';
      }
    })
    .join(' ');
}

function loadPair(files: CertificateFiles): Loaded {
  const cert = read(files.cert);
  const key = read(files.key);
  const leaf = attempt(files.cert, 'it is no certificate in PEM', () => new X509Certificate(cert));
  const context = attempt(files.key, `it is no key in PEM for the certificate ${files.cert}`, () =>
    createSecureContext({ cert, key, minVersion: tlsVersionMin }),
  );
  return { cert, key, context, leaf };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new LimpetError('LIMPET_TLS', { file: path, why: isMissing ? 'it does not exist' : 'it cannot be read' });
  }
}

function attempt<T>(file: string, why: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new LimpetError('LIMPET_TLS', { file, why }, error);
  }
}
