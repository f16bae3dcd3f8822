import { closeSync, copyFile, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** How often the files are looked at. Watching by events is not reliable on every file system. */
const pollMs = 75;
/** Read from one file in one turn; the rest comes in the next. */
const readBytesMax = 256 * 1024;
/** A longer line is shown in pieces. */
const lineCharactersMax = 8 * 1024;
/** A file above this is copied to `<name>.1` and begun anew. */
const fileBytesMax = 64 * 1024 * 1024;

/** The output file of one place in the cluster, written by its processes and followed here. */
export class OutputFile {
  readonly fd: number;
  readonly path: string;
  readonly #onLine: (line: string) => void;
  readonly #bytesMax: number;
  readonly #buffer = Buffer.allocUnsafe(16 * 1024);
  #decoder = new StringDecoder('utf8');
  #position: number;
  #part = '';
  #turning = false;

  /** Appends to `path` and gives every line written from now on. */
  constructor(path: string, onLine: (line: string) => void, bytesMax: number = fileBytesMax) {
    this.path = path;
    this.#onLine = onLine;
    this.#bytesMax = bytesMax;
    this.fd = openSync(path, 'a+', 0o600);
    this.#position = fstatSync(this.fd).size;
  }

  /** Gives what has been written since the last time, up to a bound. */
  follow(): void {
    this.#read(readBytesMax);
    if (this.#position >= this.#bytesMax) this.#turn();
  }

  /** Gives everything written so far, an unfinished last line included: whoever wrote it is dead. */
  finish(): void {
    this.#read(this.#bytesMax);
    this.#part += this.#decoder.end();
    this.#decoder = new StringDecoder('utf8');
    if (this.#part !== '') this.#onLine(this.#part);
    this.#part = '';
  }

  close(): void {
    closeSync(this.fd);
  }

  #read(bytesMax: number): void {
    const { size } = fstatSync(this.fd);
    if (size < this.#position) this.#position = 0;
    let left = Math.min(size - this.#position, bytesMax);
    while (left > 0) {
      const count = readSync(this.fd, this.#buffer, 0, Math.min(left, this.#buffer.length), this.#position);
      if (count === 0) return;
      this.#position += count;
      left -= count;
      this.#split(this.#decoder.write(this.#buffer.subarray(0, count)));
    }
  }

  #split(text: string): void {
    const lines = (this.#part + text).split('\n');
    this.#part = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    while (this.#part.length > lineCharactersMax) {
      this.#onLine(this.#part.slice(0, lineCharactersMax));
      this.#part = this.#part.slice(lineCharactersMax);
    }
  }

  /** The writers hold the descriptor, so the file itself must be emptied; they append, so they go on at its begin. */
  #turn(): void {
    if (this.#turning) return;
    this.#turning = true;
    copyFile(this.path, `${this.path}.1`, () => {
      this.#turning = false;
      try {
        this.#read(Number.MAX_SAFE_INTEGER);
        ftruncateSync(this.fd, 0);
        this.#position = 0;
      } catch {
        // Closed meanwhile.
      }
    });
  }
}

/** Follows a set of files with one timer. */
export class OutputFollower {
  readonly #files = new Set<OutputFile>();
  readonly #timer = setInterval(() => {
    for (const file of this.#files) file.follow();
  }, pollMs);

  add(file: OutputFile): void {
    this.#files.add(file);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const file of this.#files) {
      file.finish();
      file.close();
    }
    this.#files.clear();
  }
}
