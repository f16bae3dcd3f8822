import { DefaultDeserializer, DefaultSerializer } from 'node:v8';

/** Documented as the method to override (`deserializer._readHostObject`), absent from the type declarations. */
interface HostObjectReader {
  _readHostObject(): NodeJS.ArrayBufferView;
}
const { _readHostObject: readView } = DefaultDeserializer.prototype as unknown as HostObjectReader;

/**
 * Gives every typed array and Buffer memory of its own. Node's own deserialiser makes them views of the bytes it reads:
 * an attribute of 100 bytes, kept for hours, would keep the whole read (64 KiB) or the response sent with it.
 */
class OwningDeserializer extends DefaultDeserializer implements HostObjectReader {
  _readHostObject(): NodeJS.ArrayBufferView {
    const view = readView.call(this);
    if (view instanceof DataView) {
      return new DataView(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    }
    // Not `view.slice()`: a Buffer's own `slice` is one more view of the same memory.
    return Uint8Array.prototype.slice.call(view);
  }
}

/** `value` in the format of `v8.serialize`, behind `reserved` bytes left for the caller. Throws for what cannot be copied. */
export function serialize(value: unknown, reserved: Uint8Array): Buffer {
  const serializer = new DefaultSerializer();
  serializer.writeRawBytes(reserved);
  serializer.writeHeader();
  serializer.writeValue(value);
  return serializer.releaseBuffer();
}

/** The value that `bytes` hold; nothing in it refers to them. Throws when they hold none. */
export function deserialize(bytes: Uint8Array): unknown {
  const deserializer = new OwningDeserializer(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}
