import type { Server, TlsOptions } from 'node:tls';
import type { CertificateFiles } from '@limpet/core';
import { Certificates, stampOf, tlsVersionMin } from '@limpet/transport';
import { certificateLookMs, handshakeMs } from './limits.ts';
import type { Log } from './log.ts';

/** TLS at the front: who asks for a name gets its certificate, and files that were replaced are taken up without a restart. */
export class Tls {
  readonly #files: readonly CertificateFiles[];
  readonly #log: Log;
  #certificates: Certificates;
  #stamp: string;
  #timer: NodeJS.Timeout | null = null;

  /** Throws LIMPET_TLS. */
  constructor(files: readonly CertificateFiles[], log: Log) {
    this.#files = files;
    this.#log = log;
    this.#stamp = stampOf(files);
    this.#certificates = new Certificates(files);
  }

  get options(): TlsOptions {
    return {
      ...this.#certificates.first,
      minVersion: tlsVersionMin,
      handshakeTimeout: handshakeMs,
      ALPNProtocols: ['http/1.1'],
      SNICallback: (name, done) => done(null, this.#certificates.contextFor(name)),
    };
  }

  /** Looks at the files now and then. Connections that are open keep what they began with. */
  follow(server: Server): void {
    this.#timer = setInterval(() => this.#look(server), certificateLookMs).unref();
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #look(server: Server): void {
    const stamp = stampOf(this.#files);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      // A certificate whose key is not written yet is refused here, and the files are read again once it is.
      this.#certificates = new Certificates(this.#files);
      server.setSecureContext({ ...this.#certificates.first, minVersion: tlsVersionMin });
      this.#log.warn({}, 'new certificates are in use');
    } catch (error) {
      this.#log.error({ err: error }, 'new certificates are refused; the former ones stay in use');
    }
  }
}
