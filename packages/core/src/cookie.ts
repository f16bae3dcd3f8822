/**
 * At most this many values of one name are given. Browsers send two (one per path) by accident, never more; a header
 * stuffed with thousands would buy a MAC check for each of them.
 */
export const cookieValuesMax = 16;

const equals = 0x3d;
const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/**
 * Every value of the cookie `name` in a Cookie header, in order, as sent: not percent-decoded, quotes kept. Reads
 * exactly as `parseCookie` of cookie 1.1 does, which is what an app behind Limpet most likely uses, so that both see
 * the same cookie. Linear in the header's length. Source: RFC 6265 §4.2, with the leniency of that package.
 */
export function readCookie(header: string | undefined, name: string): readonly string[] {
  const found: string[] = [];
  if (header === undefined) return found;
  const length = header.length;
  for (let at = 0; at < length && found.length < cookieValuesMax; ) {
    const semicolonAt = header.indexOf(';', at);
    const end = semicolonAt === -1 ? length : semicolonAt;
    while (at < end && isBlank(header.charCodeAt(at))) at++;
    if (header.startsWith(name, at)) {
      let valueAt = at + name.length;
      while (valueAt < end && isBlank(header.charCodeAt(valueAt))) valueAt++;
      if (valueAt < end && header.charCodeAt(valueAt) === equals) found.push(trim(header, valueAt + 1, end));
    }
    at = end + 1;
  }
  return found;
}

/** Space and tab only: `String.trim` also removes characters that belong to a value. */
function trim(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}
