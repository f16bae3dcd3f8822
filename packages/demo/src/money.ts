/** How amounts are written; one of the preferences. */
export type AmountStyle = 'point' | 'comma';

/** `-1,234.50`, or `-1.234,50` with a comma. Amounts are whole cents everywhere else. */
export function formatCents(cents: number, style: AmountStyle = 'point'): string {
  const [group, decimal] = style === 'point' ? [',', '.'] : ['.', ','];
  const digits = String(Math.abs(cents)).padStart(3, '0');
  const whole = digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, group);
  return `${cents < 0 ? '-' : ''}${whole}${decimal}${digits.slice(-2)}`;
}

/** The cents spelled by `12`, `12.5`, `12.50` or `12,50`; null for anything else, for zero and above a million. */
export function parseCents(text: string): number | null {
  const match = /^([0-9]{1,7})(?:[.,]([0-9]{1,2}))?$/.exec(text.trim());
  if (!match) return null;
  const cents = Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
  return cents > 0 && cents <= 100_000_000 ? cents : null;
}
